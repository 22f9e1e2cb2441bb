// The catalog of options as the server describes it, in groups and words for people.

import { find, index } from "./search.js";

// Which stages of the pipeline are one subject to a person.
const GROUPS = [
  { title: "Size", stages: ["scale"] },
  { title: "Crop and trim", stages: ["crop", "fit", "trim"] },
  { title: "Turn and flip", stages: ["orient"] },
  { title: "Background and space", stages: ["flatten", "extend", "pad", "limit"] },
  { title: "Effects", stages: ["adjust", "filter", "mask", "shadow"] },
  { title: "AI steps", stages: ["model"] },
  { title: "Watermark", stages: ["overlay"] },
  { title: "Format and quality", stages: ["encode"] },
  { title: "Metadata and colour", stages: ["strip", "output_space", "working_space"] },
  { title: "Passing through", stages: ["shrink"] },
  { title: "Delivery", stages: ["delivery"] },
  { title: "Limits", stages: ["limits"] },
];
const OTHERS = "Others";

// Options that stand for others are with those.
const META = "meta";

export const PRESET = "preset";

export class Catalog {
  constructor({ stages, options }) {
    this.stages = stages;
    this.options = new Map(Object.entries(options.properties).map(([name, given]) => [name, read(name, given)]));
    const titles = [...GROUPS.map(({ title }) => title), OTHERS];
    this.groups = titles
      .map((title) => ({ title, options: [...this.options.values()].filter((one) => one.group === title) }))
      .filter(({ options: members }) => members.length);
  }

  /** Give { options, told } of a query, as in search. */
  find(query) {
    return find([...this.options.values()].filter(({ group }) => group), query);
  }
}

function read(name, given) {
  const [table, ...shorter] = given.anyOf;
  const stage = given["x-stage"];
  const group = GROUPS.find(({ stages }) => stages.includes(stage === META ? "scale" : stage))?.title ?? OTHERS;
  const fields = Object.entries(table.properties).map(([field, schema]) => ({
    name: field,
    label: labelOf(field),
    schema,
    doc: schema.description ?? "",
    required: table.required.includes(field),
    ...schema["x-argument"],
  }));
  const aliases = given["x-aliases"];
  const doc = given.description;
  const option = {
    name,
    aliases,
    stage,
    group: name === PRESET ? "" : group,
    own: given["x-own"],
    doc,
    brief: firstSentence(doc),
    fields,
    short: shorter.length > 0,
  };
  return { ...option, words: index(option) };
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const labelOf = (field) => capital(field.replaceAll("_", " "));

function firstSentence(doc) {
  const [text] = doc.split("\n");
  return /^.*?[.;](?=\s|$)/.exec(text)?.[0].replace(/;$/, ".") ?? text;
}
