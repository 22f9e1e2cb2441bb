// Values of options and their pieces in a URL: each kind checks a value and prints it in its one spelling.
import { classNames, MAX_CLASSES } from "./classes.js";
import { checkGravity, gravityExpected } from "./gravity.js";
import { checkNumber, integerExpected, numberExpected, numberText, readNumber, MAX_INTEGER } from "./numbers.js";
import { sortedPairs } from "./pairs.js";
import type { Bounds } from "./schema.js";
import { WrongValue } from "./wrong-value.js";

const TRUE_TEXTS = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE_TEXTS = ["0", "f", "F", "FALSE", "false", "False"];
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What a value of this kind must be, in the server's own words. */
export function expected(bounds: Bounds): string {
  switch (bounds.kind) {
    case "integer":
      return integerExpected(bounds);
    case "number":
      return bounds.word === undefined ? numberExpected(bounds) : `a radius in pixels of 0 or more, or ${bounds.word}`;
    case "flag":
      return "a flag: 1, t or true for yes; 0, f or false for no";
    case "choice":
      return `one of ${bounds.words?.join(", ")}`;
    case "text":
      return `a text of at most ${bounds.maxLength} characters without control characters`;
    case "colour":
      return `a colour of 3 or 6 hex digits${"span" in bounds ? ", or R:G:B of 0 to 255 each" : ""}`;
    case "gravity":
      return gravityExpected(bounds.types ?? []);
    case "classes":
      return `class names with \`_\` or \`-\` for spaces, at most ${MAX_CLASSES}; none or \`all\` for every class`;
    case "list":
      return `a list, each ${expected(bounds.item!)}`;
    case "pairs":
      return `pairs of a name (${bounds.words?.join(", ")}) and ${expected(bounds.item!)}`;
  }
}

/** Check a value and print it as pieces; throws WrongValue. */
export function pieces(bounds: Bounds, value: unknown): string[] {
  switch (bounds.kind) {
    case "integer":
      return [integer(bounds, value)];
    case "number":
      if (bounds.word !== undefined && value === bounds.word) return [bounds.word];
      return [numberText(checkNumber(bounds, value, expected(bounds)))];
    case "flag":
      if (typeof value !== "boolean") throw new WrongValue(value, expected(bounds));
      return [value ? "1" : "0"];
    case "choice":
      return [word(bounds, value)];
    case "text":
      return [text(bounds, value)];
    case "colour":
      return [colour(bounds, value)];
    case "gravity":
      return checkGravity(bounds.types ?? [], value);
    case "classes":
      return classNames(value, expected(bounds));
    case "list":
      return list(bounds, value);
    case "pairs":
      return pairs(bounds, value);
  }
}

/** Read the text of one piece as the value that `pieces` checks. */
export function valueOf(bounds: Bounds, piece: string): unknown {
  switch (bounds.kind) {
    case "integer":
      return /^[+-]?[0-9]{1,19}$/.test(piece) ? Number(piece) : piece;
    case "number":
      return piece === bounds.word ? piece : (readNumber(piece) ?? piece);
    case "flag":
      if (TRUE_TEXTS.includes(piece)) return true;
      return FALSE_TEXTS.includes(piece) ? false : piece;
    case "classes":
    case "list":
      return [piece];
    default:
      return piece;
  }
}

function integer(bounds: Bounds, value: unknown): string {
  const low = bounds.min ?? -MAX_INTEGER;
  const high = bounds.max ?? MAX_INTEGER;
  const told = expected(bounds);
  if (typeof value !== "number" || !Number.isInteger(value)) throw new WrongValue(value, told);
  if (bounds.max === undefined && value > high) throw new WrongValue(value, `${told}, and at most ${high}`);
  if (value < low || value > high || value % (bounds.multipleOf ?? 1)) throw new WrongValue(value, told);
  return String(value + 0);
}

function word(bounds: Bounds, value: unknown): string {
  if (typeof value !== "string" || !bounds.words?.includes(value)) {
    throw new WrongValue(value, `one of ${bounds.words?.join(", ")}`);
  }
  return bounds.spellings?.[value] ?? value;
}

function text(bounds: Bounds, value: unknown): string {
  const longest = bounds.maxLength ?? Number.POSITIVE_INFINITY;
  if (typeof value !== "string" || [...value].length > longest || CONTROL.test(value)) {
    throw new WrongValue(value, expected(bounds));
  }
  return value;
}

function colour(bounds: Bounds, value: unknown): string {
  if (typeof value === "string" && /^([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(value)) {
    return (value.length === 6 ? value : value.replace(/./g, "$&$&")).toLowerCase();
  }
  const isChannel = (one: unknown) => Number.isInteger(one) && (one as number) >= 0 && (one as number) <= 255;
  if (!Array.isArray(value) || value.length !== 3 || !value.every(isChannel)) {
    throw new WrongValue(value, expected(bounds));
  }
  return value.map((channel: number) => channel.toString(16).padStart(2, "0")).join("");
}

function list(bounds: Bounds, value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > (bounds.maxItems ?? MAX_CLASSES)) {
    throw new WrongValue(value, expected(bounds));
  }
  return value.flatMap((one) => pieces(bounds.item!, one));
}

function pairs(bounds: Bounds, value: unknown): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    throw new WrongValue(value, expected(bounds));
  }
  const named = new Map(Object.entries(value).map(([name, one]) => [word(bounds, name), pieces(bounds.item!, one)]));
  return sortedPairs(named).flat(2);
}
