// Which sources a page may have pictures made of: prefixes, patterns, or a function.

/** A RegExp, a URLPattern, or anything else that can tell. */
export interface SourcePattern {
  test(source: string): boolean;
}

/** Prefixes such as `https://shop.example.com/photos/`, patterns, or a function that decides. */
export type Allow = readonly (string | SourcePattern)[] | ((source: string) => boolean | Promise<boolean>);

/** Gives a source in its one spelling if it is allowed, undefined where it is not. */
export type Judge = (source: string) => Promise<string | undefined>;

type Rule = (source: string) => boolean | Promise<boolean>;

const WEB = ["https:", "http:"];
/** Of the server's own prefixes: what ends a segment for some program on the way, which may decode it first. */
const SEGMENT_END = /[/?#&=;]|%2f|%5c/i;

/** Make what decides; throws TypeError for a prefix that no source could ever begin with. */
export function judgeOf(allow: Allow): Judge {
  const rules = typeof allow === "function" ? undefined : allow.map(ruleOf);
  const isAllowed: Rule = typeof allow === "function" ? allow : (source) => rules!.some((rule) => rule(source));
  return async (given) => {
    const source = normal(given);
    return source !== undefined && (await isAllowed(source)) ? source : undefined;
  };
}

function ruleOf(one: string | SourcePattern): (source: string) => boolean {
  if (typeof one === "string") {
    const prefix = prefixOf(one);
    return (source) => source.startsWith(prefix);
  }
  // With the flags g and y, `test` goes on behind what it found in another source.
  return one instanceof RegExp ? (source) => source.search(one) >= 0 : (source) => one.test(source);
}

function prefixOf(text: string): string {
  const prefix = text.includes("*") ? undefined : normal(text);
  if (prefix === undefined) {
    const instead = "a prefix with a scheme and without *, as in https://shop.example.com/photos/, or a RegExp";
    throw new TypeError(`allow: expected ${instead}, got '${text}'.`);
  }
  // `s3://photos` must not allow `s3://photos-of-others`; of https, URL has put the slash there.
  return /^[^/]+:\/\/[^/]+$/.test(prefix) ? `${prefix}/` : prefix;
}

/** Give the one spelling of a source; undefined for what hides where it leads: passwords, ways out of a folder. */
function normal(source: string): string | undefined {
  let url: URL;
  try {
    url = new URL(source);
  } catch {
    return undefined;
  }
  // Files and keys have the very names that stand there: URL would escape their blanks and umlauts.
  const text = WEB.includes(url.protocol) ? url.href : source;
  if (url.username || url.password || text.includes("\\") || climbs(text)) return undefined;
  return text;
}

/** Tell whether `..` is hidden in it: nginx, say, decodes `..%2f` before it looks for the file. */
function climbs(text: string): boolean {
  return text.split(SEGMENT_END).some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
}
