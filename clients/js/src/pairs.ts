// Names with a value each, in the one order that URLs have them in.

export function sortedPairs<Value>(named: Map<string, Value>): [string, Value][] {
  return [...named].sort(([one], [other]) => (one < other ? -1 : 1));
}
