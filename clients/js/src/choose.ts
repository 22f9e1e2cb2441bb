// `choose` segments: options of which a page picks the value, among those that the signature covers.
import { OptionError } from "./errors.js";
import { valueOf } from "./kinds.js";
import { numberText } from "./numbers.js";
import { argumentsOf } from "./options.js";
import type { Option, Table } from "./schema.js";

/** One value, or a range of whole numbers, both ends included. */
export type ChoiceValue = number | string | readonly [low: number, high: number];

/** Values by the option's name, as in `{ w: [640, 750, 1080], q: [75, [50, 90]] }`; the first one is the default. */
export type Choose = Readonly<Record<string, readonly ChoiceValue[]>>;

export const MAX_CHOICES = 8;
export const MAX_VALUES = 100;
const VALUE = /^[A-Za-z0-9._~-]+$/;
const RANGE = /^(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})$/;

/** A segment, and which option it is of. */
export interface ChoiceSegment {
  readonly option: Option;
  readonly text: string;
}

/** Write the segments in the order given; throws OptionError. */
export function choiceSegments(table: Table, choose: Choose, separator: string): ChoiceSegment[] {
  const given = Object.entries(choose);
  if (given.length > MAX_CHOICES) throw new OptionError("choose", given.length, `at most ${MAX_CHOICES}`);
  const chosen = new Set<Option>();
  return given.map(([name, values]) => {
    const option = table.byName.get(name);
    if (!option) throw new OptionError(name, name, "the name of an option");
    if (chosen.has(option)) throw new OptionError(`choose ${name}`, name, "one choose for each option");
    chosen.add(option);
    // Query strings name the option as the segment does, so `w` stays `w`; only camelCase is no name for the server.
    const spelled = option.aliases.includes(name) ? name : option.name;
    const texts = valuesOf(option, name, values);
    return { option, text: ["choose", spelled, ...texts].join(separator) };
  });
}

function valuesOf(option: Option, name: string, values: readonly ChoiceValue[]): string[] {
  if (!Array.isArray(values) || values.length === 0 || values.length > MAX_VALUES) {
    throw new OptionError(`choose ${name}`, values, `1 to ${MAX_VALUES} values, as in choose:w:640:750:1080`);
  }
  return values.map((value: ChoiceValue) => valueText(option, name, value));
}

function valueText(option: Option, name: string, value: ChoiceValue): string {
  const where = `choose ${name}`;
  const text = textOf(value);
  const [first] = option.fields;
  const range = first?.kind === "integer" || first?.kind === "number" ? RANGE.exec(text) : null;
  const ends = range ? [range[1]!, range[2]!] : [text];
  if (!VALUE.test(text)) throw new OptionError(where, value, "letters, digits and . _ ~ -");
  if (range && Number(ends[0]) >= Number(ends[1]))
    throw new OptionError(where, value, "the smaller end first, as in 50-90");
  for (const end of ends) argumentsOf(option, valueOf(first!, end), name);
  return text;
}

function textOf(value: ChoiceValue): string {
  if (typeof value === "number") return numberText(value);
  return typeof value === "string" ? value : `${value[0]}-${value[1]}`;
}
