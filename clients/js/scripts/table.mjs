// The table of options that the writer of URLs works with, from the schema.

/** Give the module that holds it. */
export function tableText(schema, { name, page }) {
  const rows = Object.entries(schema.properties).map(([option, spec]) => `  ${JSON.stringify(row(option, spec))},`);
  return `// Made by \`npm run generate\` from docs/${page}.schema.json: change it there, not here.
import { type Table, tableOf } from "../schema.js";

export const ${name}: Table = /* @__PURE__ */ tableOf([
${rows.join("\n")}
]);
`;
}

function row(name, spec) {
  const [table] = spec.anyOf;
  const fields = Object.entries(table.properties).map(([field, property]) => ({
    name: field,
    ...(table.required.includes(field) && { required: true }),
    ...argument(property),
  }));
  return { name, aliases: spec["x-aliases"], ...(spec["x-stage"] === "delivery" && { delivery: true }), fields };
}

function argument(property) {
  const { span, default: pieces } = property["x-argument"];
  return { ...(span !== 1 && { span }), ...(pieces && { default: pieces }), ...bounds(property) };
}

function bounds(property, kind = property["x-argument"].kind) {
  const told = property["x-argument"] ?? {};
  const numeric = property.oneOf?.find((one) => one.type === "number") ?? property;
  const item = { list: property.items, pairs: property.additionalProperties }[kind];
  const words = property.enum ?? property.propertyNames?.enum;
  const spellings = told.spellings ?? {};
  return compact({
    kind,
    min: numeric.minimum,
    max: numeric.maximum,
    above: numeric.exclusiveMinimum,
    multipleOf: numeric.multipleOf,
    word: kind === "number" ? property.oneOf?.find((one) => one.const)?.const : undefined,
    maxLength: property.maxLength,
    maxItems: property.maxItems,
    words,
    spellings: Object.keys(spellings).length && kind !== "list" ? spellings : undefined,
    types: kind === "gravity" ? gravityTypes(property) : undefined,
    item: item && {
      ...bounds(item, told.item),
      ...(kind === "list" && Object.keys(spellings).length && { spellings }),
    },
  });
}

/** Name the types that a gravity may be of, from the pattern of its text form: all of them stand there. */
export function gravityTypes(property) {
  const text = property.oneOf.find((one) => one.pattern);
  return text.pattern.slice("^(".length, text.pattern.indexOf(")")).split("|");
}

function compact(found) {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
