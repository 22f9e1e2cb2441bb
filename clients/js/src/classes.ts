// Classes of things that models find: their one spelling and order.
import { WrongValue } from "./wrong-value.js";

export const MAX_CLASSES = 64;
const MAX_NAME = 64;

/** Give names in their one spelling and order; none = all of them. Throws WrongValue. */
export function classNames(value: unknown, told: string): string[] {
  if (!Array.isArray(value) || value.length > MAX_CLASSES) throw new WrongValue(value, told);
  const names = new Set(value.map((one) => className(one, told)));
  return names.has("all") ? [] : [...names].sort();
}

/** Give the one spelling of a class: lower case, `_` for all that is no letter or digit. Throws WrongValue. */
export function className(value: unknown, told: string): string {
  const name = typeof value === "string" ? unescaped(value).toLowerCase() : "";
  const spelled = name.replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "");
  if (!spelled || [...spelled].length > MAX_NAME) throw new WrongValue(value, told);
  return spelled;
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
