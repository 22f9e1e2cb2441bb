// The source of a picture as the last part of a path: plain with escapes, or base64url.
import { toBase64Url } from "./base64.js";
import { OptionError } from "./errors.js";

const CONTROL = /[\u0000-\u001f\u007f]/;
/** encodeURIComponent escapes these, though a path may have them. */
const PLAIN = /%(?:2F|3A|24|26|2B|2C|3B|3D)/g;

/** Give the path's part for a source; throws OptionError. */
export function sourcePart(source: string, { base64 = false }: { base64?: boolean | undefined } = {}): string {
  if (typeof source !== "string" || !source || CONTROL.test(source) || !isWellFormed(source)) {
    throw new OptionError("source", source, "the URL of a picture, without control characters");
  }
  if (base64) return toBase64Url(new TextEncoder().encode(source));
  if (/(^|\/)\.{1,2}(\/|$)/.test(source)) {
    // Browsers resolve them on their way, and the signature would not fit any more.
    throw new OptionError("source", source, "a URL without . and .. in its path; resolve it, or pass base64: true");
  }
  return `plain/${encodeURIComponent(source).replace(PLAIN, (escape) => decodeURIComponent(escape))}`;
}

function isWellFormed(text: string): boolean {
  try {
    encodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
