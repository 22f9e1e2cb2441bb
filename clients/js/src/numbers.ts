// Numbers of options: bounds, what is expected in words, and the shortest text without an exponent.
import type { Bounds } from "./schema.js";
import { WrongValue } from "./wrong-value.js";

/** Larger numbers mean nothing for pictures. */
export const MAX_INTEGER = 2 ** 31 - 1;
/** Smaller numbers change no pixel: they are 0. */
const LEAST = 1e-12;
const NUMBER = /^[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,3})?$/;

export function integerExpected(bounds: Bounds): string {
  const multiple = bounds.multipleOf === undefined ? "" : `, a multiple of ${bounds.multipleOf}`;
  return `an integer${range(bounds)}${multiple}`;
}

export function numberExpected(bounds: Bounds): string {
  if (bounds.above === undefined) return `a number${range(bounds)}`;
  return `a number greater than ${bounds.above}${bounds.max === undefined ? "" : ` up to ${bounds.max}`}`;
}

function range({ min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of ${min} or more`;
  return max === undefined ? "" : ` of ${max} or less`;
}

/** Check a number against its bounds; throws WrongValue. */
export function checkNumber(bounds: Pick<Bounds, "min" | "max" | "above">, value: unknown, told: string): number {
  if (typeof value !== "number" || !(Math.abs(value) <= MAX_INTEGER)) throw new WrongValue(value, told);
  const found = Math.abs(value) < LEAST ? 0 : value;
  if (bounds.min !== undefined && found < bounds.min) throw new WrongValue(value, told);
  if (bounds.above !== undefined && found <= bounds.above) throw new WrongValue(value, told);
  if (bounds.max !== undefined && found > bounds.max) throw new WrongValue(value, told);
  return found;
}

/** Read a number as URLs have it, undefined where it is none. */
export function readNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** Print a number in the shortest way that reads back as the same, without an exponent. */
export function numberText(value: number): string {
  const [digits = "", exponent] = String(value).split("e");
  if (exponent === undefined) return digits;
  // Of numbers that options may have only tiny ones are written with an exponent: 1.5e-7.
  const [whole = "", rest = ""] = digits.replace("-", "").split(".");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(-Number(exponent) - 1)}${whole}${rest}`;
}
