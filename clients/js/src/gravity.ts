// Gravities: where a box sits in a larger one, as text, as a table, and as pieces of a URL.
import { className, classNames } from "./classes.js";
import { checkNumber, numberText, readNumber } from "./numbers.js";
import { sortedPairs } from "./pairs.js";
import { WrongValue } from "./wrong-value.js";

const FOCUS = "fp";
const OF_THINGS = ["obj", "objw"];
const WITHOUT_OFFSETS = ["sm", "prop"];

interface Place {
  type: string;
  x: unknown;
  y: unknown;
  classes: [name: string, weight: unknown][];
}

export function gravityExpected(types: readonly string[]): string {
  const bare = WITHOUT_OFFSETS.filter((type) => types.includes(type)).join(", ");
  return [
    `a gravity: ${types.join(", ")}, each with offsets x:y if wanted`,
    ...(types.includes(FOCUS) ? ["fp needs x:y, both from 0 to 1"] : []),
    ...(bare ? [`${bare} takes no offsets`] : []),
    ...(types.includes("obj")
      ? ["obj takes classes (obj:face:dog), objw classes with weights of 0 or more (objw:face:3:dog:1)"]
      : []),
  ].join("; ");
}

/** Check a gravity and print it as pieces; throws WrongValue. */
export function checkGravity(types: readonly string[], value: unknown): string[] {
  const told = gravityExpected(types);
  const place = typeof value === "string" ? ofText(value, told) : ofTable(value, told);
  if (!types.includes(place.type)) throw new WrongValue(value, told);
  if (OF_THINGS.includes(place.type)) return things(place, told);
  const x = checkNumber({}, place.x, told);
  const y = checkNumber({}, place.y, told);
  if (WITHOUT_OFFSETS.includes(place.type) && (x || y)) throw new WrongValue(value, told);
  if (place.type !== FOCUS) return x || y ? [place.type, numberText(x), numberText(y)] : [place.type];
  if (x < 0 || x > 1 || y < 0 || y > 1) throw new WrongValue(value, told);
  return [FOCUS, numberText(x), numberText(y)];
}

function ofText(text: string, told: string): Place {
  const [type = "", ...rest] = text.split(":");
  if (OF_THINGS.includes(type)) return { type, x: 0, y: 0, classes: classesOf(type, rest, text, told) };
  const isTooLong = rest.slice(2).some(Boolean) || (WITHOUT_OFFSETS.includes(type) && rest.some(Boolean));
  if (isTooLong || (type === FOCUS && rest.filter(Boolean).length !== 2)) throw new WrongValue(text, told);
  const [x, y] = [rest[0], rest[1]].map((piece) => (piece ? numberIn(piece, text, told) : 0));
  return { type, x, y, classes: [] };
}

function classesOf(type: string, rest: string[], text: string, told: string): Place["classes"] {
  if (type === "obj") return rest.filter(Boolean).map((name) => [name, 1]);
  const found: Place["classes"] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const [name, weight] = [rest[at] ?? "", rest[at + 1] ?? ""];
    if (name || weight) found.push([name, weight ? numberIn(weight, text, told) : 1]);
  }
  return found;
}

function numberIn(piece: string, text: string, told: string): number {
  const found = readNumber(piece);
  if (found === undefined) throw new WrongValue(text, told);
  return found;
}

function ofTable(value: unknown, told: string): Place {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new WrongValue(value, told);
  const { type, x = 0, y = 0, classes = [], ...unknown } = value as Record<string, unknown>;
  const isOfThings = OF_THINGS.includes(String(type));
  const misplaced = isOfThings ? "x" in value || "y" in value : "classes" in value;
  if (typeof type !== "string" || misplaced || Object.keys(unknown).length) throw new WrongValue(value, told);
  if (typeof classes !== "object" || classes === null) throw new WrongValue(value, told);
  const named: Place["classes"] = Array.isArray(classes)
    ? classes.map((name) => [name as string, 1])
    : Object.entries(classes as object);
  return { type, x, y, classes: named };
}

function things({ type, classes }: Place, told: string): string[] {
  const weights = new Map(
    classes.map(([name, weight]) => [
      className(name, told),
      numberText(checkNumber({ min: 0 }, weight, "a number of 0 or more")),
    ]),
  );
  const names = classNames([...weights.keys()], told);
  if (type === "obj" || !weights.size) return ["obj", ...names];
  return ["objw", ...sortedPairs(weights).flat()];
}
