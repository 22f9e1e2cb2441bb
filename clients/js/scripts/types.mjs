// The types of options as an editor shows them, from the schema.
import { gravityTypes } from "./table.mjs";

const COMPASS = ["ce", "no", "so", "ea", "we", "noea", "nowe", "soea", "sowe"];

export const camel = (name) => name.replace(/[-_]([a-z])/g, (_, letter) => letter.toUpperCase());

/** Give the module with the interface of all options. */
export function typesText(schema, { name, page, ofPictures }) {
  const options = Object.entries(schema.properties);
  const own = options.map(
    ([option, spec]) => `${comment(optionDoc(option, spec))}  ${camel(option)}?: ${optionType(spec)} | undefined;`,
  );
  const others = options.flatMap(([option, spec]) => otherNames(name, option, spec));
  const used = ["Classes", "Colour", "Format", "Gravity"].filter((type) =>
    new RegExp(`\\b${type}\\b`).test(own.join("\n")),
  );
  const what = ofPictures ? "Options of a picture's URL" : "Options of a URL of /info";
  return `// Made by \`npm run generate\` from docs/${page}.schema.json: change it there, not here.
${used.length ? `import type { ${used.join(", ")} } from "../values.js";\n` : ""}
/** ${what}. Names as they stand in URLs work as well, short ones too. */
export interface ${name} extends ${name}ByOtherNames {
${own.join("\n")}
}

/** The same options by their other names. */
export interface ${name}ByOtherNames {
${others.join("\n")}
}
`;
}

/** Give the module that names the presets which come with the server. */
export function presetsText(presets) {
  const lines = presets.map(({ name, doc }) => `  /** ${doc} */\n  ${JSON.stringify(name)}: true;`);
  return `// Made by \`npm run generate\` from presets/: change it there, not here.

/** Presets that come with every server. */
export interface ShippedPresets {
${lines.join("\n")}
}

export type ShippedPreset = keyof ShippedPresets;
`;
}

function optionDoc(name, spec) {
  const only = spec["x-guarded"] ? ["Works only where the server allows options that change limits."] : [];
  return [spec.description, ...only, `In a URL: \`${spec["x-example"]}\`.`].join("\n\n");
}

function otherNames(type, name, spec) {
  const known = camel(name);
  return [...new Set([name, name.replaceAll("-", "_"), ...spec["x-aliases"]])]
    .filter((other) => other !== known)
    .map((other) => `  /** Another name of {@link ${type}.${known}}. */\n  ${key(other)}?: ${type}["${known}"];`);
}

function optionType(spec) {
  const [table, short] = spec.anyOf;
  const fields = Object.entries(table.properties).flatMap(([name, property]) => {
    const mark = table.required.includes(name) && camel(name) === name ? "" : "?";
    const line = `${comment(fieldDoc(property), 6)}      ${camel(name)}${mark}: ${valueType(property)}${mark && " | undefined"};`;
    if (camel(name) === name) return [line];
    return [line, `      /** The same as \`${camel(name)}\`. */\n      ${name}?: ${valueType(property)} | undefined;`];
  });
  const first = Object.values(table.properties)[0];
  return `${short ? `${valueType(first)} | ` : ""}{\n${fields.join("\n")}\n    }`;
}

function fieldDoc(property) {
  const { default: pieces } = property["x-argument"];
  return [property.description, bounds(property), pieces?.length ? `Default: ${pieces.join(":") || "empty"}` : ""]
    .filter(Boolean)
    .join(". ");
}

function bounds(property) {
  const { minimum: low, maximum: high, exclusiveMinimum: above } = property;
  if (above !== undefined) return `Greater than ${above}${high === undefined ? "" : `, up to ${high}`}`;
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  return low === undefined ? (high === undefined ? "" : `At most ${high}`) : `${low} or more`;
}

function valueType(property) {
  const { kind, item } = property["x-argument"];
  const words = property.enum ?? property.items?.enum ?? property.propertyNames?.enum;
  const word = words && (words.includes("jpg") ? "Format" : union(words));
  if (kind === "gravity") return gravityType(property);
  if (kind === "list") return word ? `readonly (${word})[]`.replace("(Format)", "Format") : "readonly string[]";
  if (kind === "pairs") return `Partial<Record<${word}, ${item === "integer" ? "number" : "string"}>>`;
  if (kind === "number" && property.oneOf) return `number | "${property.oneOf.find((one) => one.const).const}"`;
  return {
    integer: "number",
    number: "number",
    flag: "boolean",
    choice: word,
    text: "string",
    colour: "Colour",
    classes: "Classes",
  }[kind];
}

function gravityType(property) {
  const extra = gravityTypes(property).filter((type) => !COMPASS.includes(type));
  return extra.length ? `Gravity<${union(extra)}>` : "Gravity";
}

const union = (words) => words.map((word) => JSON.stringify(word)).join(" | ");
const key = (name) => (/^[a-z_]\w*$/.test(name) ? name : JSON.stringify(name));

function comment(text, indent = 2) {
  const space = " ".repeat(indent);
  const lines = text.replaceAll("*/", "*\\/").split("\n");
  if (lines.length === 1) return `${space}/** ${text} */\n`;
  return `${space}/**\n${lines.map((line) => `${space} * ${line}`.trimEnd()).join("\n")}\n${space} */\n`;
}
