// Options as an object become those of a URL: names looked up, values checked, meta options expanded, later ones merged.
import { OptionError } from "./errors.js";
import { expected, pieces } from "./kinds.js";
import { sortedPairs } from "./pairs.js";
import { checkSpecial, filenameArguments, plainFilename } from "./rules.js";
import { camel, type Option, type Table } from "./schema.js";
import { WrongValue } from "./wrong-value.js";

/** The canonical pieces of each argument; an argument that is not there keeps what was set before. */
export type Arguments = Readonly<Record<string, readonly string[] | undefined>>;

/** Options by their long names, each at most once. */
export type Settings = ReadonlyMap<string, Arguments>;

/** Check all options of an object, in its order; throws OptionError. */
export function settingsOf(table: Table, options: Readonly<Record<string, unknown>>): Settings {
  const settings = new Map<string, Arguments>();
  for (const [name, value] of Object.entries(options)) {
    // `{ quality: isSmall ? 60 : undefined }` says nothing of the quality.
    if (value === undefined) continue;
    const option = table.byName.get(name);
    if (!option) throw new OptionError(name, name, `the name of an option${nearest(table, name)}`);
    for (const [long, given] of expanded(option.name, argumentsOf(option, value, name))) {
      settings.set(long, merged(long, settings.get(long), given));
    }
  }
  return settings;
}

/** Check the value of one option: a table by field names, or the value of its first field. Throws OptionError. */
export function argumentsOf(option: Option, value: unknown, where: string): Arguments {
  const isByName = isTable(option, value);
  const table = isByName ? byFieldName(option, value, where) : { [option.fields[0]!.name]: value };
  const placeOf = (field: string | undefined) => (isByName && field ? `${where}.${field}` : where);
  const found: Record<string, readonly string[] | undefined> = {};
  for (const field of option.fields) {
    const given = table[field.name] ?? undefined;
    if (given === undefined && field.required) throw new OptionError(placeOf(field.name), "nothing", expected(field));
    found[field.name] = given === undefined ? field.default : named(placeOf, field.name, () => pieces(field, given));
  }
  return named(placeOf, undefined, () => checkSpecial(option, found));
}

/** Print an option's arguments, without trailing ones that say nothing. */
export function printed(option: Option, given: Arguments): string[] {
  if (option.name === "filename") return filenameArguments(given);
  const out: string[] = [];
  let kept = 1;
  for (const field of option.fields) {
    const value = given[field.name];
    const isSaid = value !== undefined && (field.required || value.join(":") !== field.default?.join(":"));
    out.push(...(value ?? [""]));
    if (isSaid) kept = Math.max(kept, out.length);
    // A shorter form of a kind still takes its full span where another argument follows.
    for (let at = (value ?? [""]).length; at < (field.span === undefined ? 1 : (field.span ?? 0)); at += 1)
      out.push("");
  }
  return out.slice(0, kept);
}

type Fields = Record<string, unknown>;

/** Tables are objects, unless the first field itself takes an object and these are not the names of fields. */
function isTable(option: Option, value: unknown): value is Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const [first] = option.fields;
  if (first?.kind !== "gravity" && first?.kind !== "pairs") return true;
  return Object.keys(value).every((name) => option.fields.some((field) => isNamed(field.name, name)));
}

const isNamed = (field: string, name: string) => field === name || camel(field) === name;

function byFieldName(option: Option, value: Fields, where: string): Fields {
  const names = option.fields.map((field) => field.name);
  const entries = Object.entries(value).map(([name, one]) => {
    const field = names.find((known) => isNamed(known, name));
    if (field === undefined) throw new OptionError(where, name, `one of the fields ${names.join(", ")}`);
    return [field, one] as const;
  });
  return Object.fromEntries(entries);
}

/** Say of a wrong value where it stands. */
function named<Found>(
  placeOf: (field: string | undefined) => string,
  field: string | undefined,
  check: () => Found,
): Found {
  try {
    return check();
  } catch (wrong) {
    if (!(wrong instanceof WrongValue)) throw wrong;
    throw new OptionError(placeOf(field ?? wrong.field), wrong.got, wrong.expected);
  }
}

/** `resize` and `size` stand for other options; a file name loses its encoding. */
function expanded(name: string, given: Arguments): [string, Arguments][] {
  if (name === "filename") return [[name, plainFilename(given)]];
  if (name !== "resize" && name !== "size") return [[name, given]];
  const out: [string, Arguments][] = [];
  if (given.type) out.push(["resizing_type", { resizing_type: given.type }]);
  for (const part of ["width", "height", "enlarge"]) {
    if (given[part]) out.push([part, { [part]: given[part] }]);
  }
  if (given.extend) out.push(["extend", { extend: given.extend, extend_gravity: given.extend_gravity }]);
  return out;
}

/** In these, an argument left out does not mean what was set before. */
const REPLACED = ["zoom", "crop", "background", "autocrop", "crop_objects", "blur_detections", "draw_detections"];

/** Join an option with the same one given earlier. */
function merged(name: string, earlier: Arguments | undefined, later: Arguments): Arguments {
  if (!earlier || REPLACED.includes(name)) return later;
  // Only the top keeps its earlier value: the other sides follow from it.
  if (name === "padding") return { ...later, padding_top: later.padding_top ?? earlier.padding_top };
  if (name === "preset") return { names: [...earlier.names!, ...later.names!] };
  if (name === "format_quality") return { format_quality: joinedPairs(earlier.format_quality!, later.format_quality!) };
  if (name === "skip_processing") {
    return { skip_processing: [...new Set([...earlier.skip_processing!, ...later.skip_processing!])] };
  }
  const kept = Object.entries(earlier).filter(([field]) => later[field] === undefined);
  return { ...later, ...Object.fromEntries(kept) };
}

function joinedPairs(...lists: (readonly string[])[]): string[] {
  const named = new Map<string, string>();
  for (const list of lists) {
    for (let at = 0; at < list.length; at += 2) named.set(list[at]!, list[at + 1]!);
  }
  return sortedPairs(named).flat();
}

/** Say which name was probably meant. */
function nearest(table: Table, name: string): string {
  const letters = (text: string) => [...text.toLowerCase().replace(/[-_]/g, "")].sort().join("");
  const meant = table.options.find((option) => letters(option.name) === letters(name) || option.name.startsWith(name));
  return meant ? ` (${meant.name}?)` : "";
}
