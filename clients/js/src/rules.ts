// What the schema has no words for: rules of single options.
import { fromBase64Url, toBase64Url } from "./base64.js";
import type { Arguments } from "./options.js";
import type { Option } from "./schema.js";
import { WrongValue } from "./wrong-value.js";

const MAX_TAGS = 32;
const TAG = /^[A-Za-z0-9._-]{1,64}$/;
const SAFE_NAME = /^[A-Za-z0-9._~-]+$/;
const HASH_DIGITS: Readonly<Record<string, number>> = { none: 0, md5: 32, sha1: 40, sha256: 64, sha512: 128 };

/** Check what no single argument can tell; throws WrongValue. */
export function checkSpecial(option: Option, given: Arguments): Arguments {
  if (option.name === "cache_tags") checkTags(given.tags ?? []);
  if (option.name === "hashsum") checkHash(given.type?.[0] ?? "none", given.hashsum?.[0] ?? "");
  if (option.name === "padding" && !Object.values(given).some(Boolean)) {
    throw new WrongValue("", "an integer of 0 or more");
  }
  if (option.name === "palette" && given.colors?.[0] === "1") {
    throw new WrongValue(1, "an integer from 2 to 256, or 0 for none", "colors");
  }
  if (option.name === "filename") plainFilename(given);
  return given;
}

function checkTags(tags: readonly string[]): void {
  if (tags.length > MAX_TAGS) throw new WrongValue(`${tags.length} tags`, `at most ${MAX_TAGS} tags`, "tags");
  const wrong = tags.find((tag) => !TAG.test(tag));
  if (wrong !== undefined) {
    throw new WrongValue(wrong, "tags of letters, digits and - _ . of ASCII, at most 64 of them", "tags");
  }
}

function checkHash(type: string, sum: string): void {
  const digits = HASH_DIGITS[type] ?? 0;
  if (digits && !(sum.length === digits && /^[0-9a-fA-F]*$/.test(sum)))
    throw new WrongValue(sum, `${digits} hex digits`, "hashsum");
}

/** Undo the encoding of a file name; throws WrongValue. */
export function plainFilename(given: Arguments): Arguments {
  const name = given.name?.[0] ?? "";
  if (given.encoded?.[0] !== "1") return given;
  const plain = fromBase64Url(name);
  if (plain === undefined) throw new WrongValue(name, "a name in base64url", "name");
  return { name: [plain], encoded: ["0"] };
}

/** Names that cannot stand in a URL as they are, are written in base64url. */
export function filenameArguments(given: Arguments): string[] {
  const name = given.name?.[0] ?? "";
  return SAFE_NAME.test(name) ? [name] : [toBase64Url(new TextEncoder().encode(name)), "1"];
}
