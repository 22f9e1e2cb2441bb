// The search over options: by name, other names, what other tools call it, arguments, and what is told of them.

import { OTHER_WORDS } from "./otherwords.js";

// Where a word was found, best first.
const RANKS = { name: 0, alias: 1, other: 2, beginning: 3, part: 4, argument: 5, brief: 6, rest: 7 };
// Shorter stems and pieces are in too many words.
const LEAST_STEM = 3;
const LEAST_PIECE = 3;
const ENDING = /(?:ies|ions?|ings?|ness|ency|ent|ed|es|en|e|s|y)$/;
const SPELLINGS = { colour: "color", centre: "center", grey: "gray" };

/** Give the words of a text, in one spelling. */
export function wordsOf(text) {
  const plain = text.toLowerCase().replace(/colour|centre|grey/g, (word) => SPELLINGS[word]);
  return plain.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** "rounded", "rounding" and "rounds" are one word, and so are "blurred" and "blur". */
function stem(word) {
  const bare = word.replace(ENDING, "");
  if (bare.length < LEAST_STEM) return word;
  return bare.length > LEAST_STEM ? bare.replace(/([^aeiouls])\1$/, "$1") : bare;
}

/** Say whether a typed word, or its beginning, is this one. */
const meets = (typed, word) => word.startsWith(typed) || stem(word) === stem(typed);

/** Give the words of an option by where they are. */
export function index({ name, aliases, group, brief, doc, fields }) {
  const values = ({ schema }) => [...(schema.enum ?? []), ...(schema.items?.enum ?? [])].map(String);
  return {
    name: wordsOf(name),
    aliases,
    argument: fields.flatMap((field) => wordsOf([field.name, ...values(field)].join(" "))),
    brief: wordsOf(brief),
    rest: wordsOf([doc, group, ...aliases, ...fields.map((field) => field.doc)].join(" ")),
  };
}

/** Rank one typed word in an option; undefined where it is nowhere. */
function rankOf(typed, { name, words }, others) {
  if (others.includes(name)) return RANKS.other;
  if (meets(typed, words.name[0])) return RANKS.beginning;
  if (words.name.some((word) => meets(typed, word))) return RANKS.part;
  if (typed.length >= LEAST_PIECE && words.name.some((word) => word.includes(typed))) return RANKS.part;
  return ["argument", "brief", "rest"].map((where) => words[where].some((word) => meets(typed, word)) && RANKS[where]).find(Boolean);
}

/** Give { options, told } of a query: names, best first, and a sentence on what is called so elsewhere, "" = none. */
export function find(options, query) {
  const typed = wordsOf(query);
  const whole = typed.join(" ");
  const phrase = elsewhere(whole).at(0);
  const others = typed.map((word) => elsewhere(word).at(0)?.options ?? []);
  const ranked = [];
  for (const option of options) {
    const known = exactly(option.words, whole) ?? (phrase?.options.includes(option.name) ? RANKS.other : undefined);
    const ranks = known === undefined ? typed.map((word, at) => rankOf(word, option, others[at])) : [known];
    if (!ranks.includes(undefined)) ranked.push({ option, rank: Math.max(...ranks, 0), place: phrase?.options.indexOf(option.name) ?? 0 });
  }
  ranked.sort((one, other) => one.rank - other.rank || (one.rank === RANKS.other ? one.place - other.place : 0));
  // A plug-in may have what we have not.
  const named = ranked.some(({ rank }) => rank < RANKS.argument && rank !== RANKS.other);
  return { options: ranked.map(({ option }) => option.name), told: named ? "" : (phrase?.told ?? "") };
}

function exactly({ name, aliases }, whole) {
  if (name.join(" ") === whole) return RANKS.name;
  return aliases.some((one) => wordsOf(one).join(" ") === whole) ? RANKS.alias : undefined;
}

/** Give what other tools call so, that of the very word before those of its beginnings. */
function elsewhere(text) {
  const known = OTHER_WORDS.filter(({ words }) => words.some((word) => word === text || begins(word, text)));
  return known.sort((one, other) => other.words.includes(text) - one.words.includes(text));
}

const begins = (word, typed) => typed.length >= LEAST_PIECE && meets(typed, word);
