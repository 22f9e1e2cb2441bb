// Which sources a page may have pictures made of: prefixes, patterns, or a function.

/** A RegExp, a URLPattern, or anything else that can tell. */
export interface SourcePattern {
  test(source: string): boolean;
}

/** Prefixes such as `https://shop.example.com/photos/`, patterns, or a function that decides. */
export type Allow = readonly (string | SourcePattern)[] | ((source: string) => boolean | Promise<boolean>);

/** Give a source in its one spelling if it is allowed, undefined where it is not. */
export async function allowedSource(source: string, allow: Allow): Promise<string | undefined> {
  const href = normal(source);
  if (href === undefined) return undefined;
  const isAllowed = typeof allow === "function" ? await allow(href) : allow.some((one) => fits(one, href));
  return isAllowed ? href : undefined;
}

/** Resolve what hides where a URL leads (`..`, spellings of the host); sources with a password in them are none. */
function normal(source: string): string | undefined {
  try {
    const url = new URL(source);
    return url.username || url.password ? undefined : url.href;
  } catch {
    return undefined;
  }
}

function fits(one: string | SourcePattern, href: string): boolean {
  if (typeof one !== "string") return one.test(href);
  // `https://shop.example.com` must not allow `https://shop.example.com.evil.example`.
  const prefix = normal(one);
  return prefix !== undefined && href.startsWith(prefix);
}
