// Signed URLs of pictures: the part that needs the key, so it runs on servers and at build time only.
import { toBase64Url } from "./base64.js";
import type { Choose } from "./choose.js";
import { INFO_OPTIONS } from "./generated/info-table.js";
import type { InfoOptions } from "./generated/info.js";
import { OPTIONS } from "./generated/options-table.js";
import type { Options } from "./generated/options.js";
import type { ShippedPreset } from "./generated/presets.js";
import { hmac } from "./hmac.js";
import { pathOf } from "./path.js";
import { refuseBrowser } from "./server-only.js";
import type { Format } from "./values.js";

const DIGEST_BYTES = 32;
/** The customary text in place of a signature when the server checks none. */
const UNSIGNED = "unsafe";
const IN_A_BROWSER =
  "hand the page a token from token(signer, source), and let the loader of 'imgserve/loader' choose the width";

export interface SignerSettings {
  /** IMGSERVE_KEY of the server: hex digits. Of several with commas between, the first signs, as it does there. */
  key: string | undefined;
  /** IMGSERVE_SALT of the server: hex digits. */
  salt: string | undefined;
  /** Where browsers reach the server, put before every path: `https://img.example.com`. */
  baseUrl?: string | undefined;
  /** Bytes of the signature, as IMGSERVE_SIGNATURE_SIZE of the server. */
  signatureSize?: number | undefined;
  /** What stands between arguments, as IMGSERVE_ARGUMENTS_SEPARATOR of the server. */
  separator?: string | undefined;
  /** For tests and tools: sign in a browser after all, where everybody can read the key. */
  allowBrowser?: boolean | undefined;
}

export interface UrlExtras<Preset extends string = string> {
  /** Presets of the server; options win over what they set. */
  presets?: readonly Preset[] | undefined;
  /** What a page may choose in the query string: `{ w: [640, 750, 1080] }`. */
  choose?: Choose | undefined;
  /** Hide the source's text from a casual look; it is not encrypted. */
  base64?: boolean | undefined;
  /** The same as the option `format`. */
  format?: Format | undefined;
}

export type InfoExtras = Pick<UrlExtras, "choose" | "base64">;

/** Makes signed URLs; `Preset` are the names that `presets` takes. */
export interface Signer<Preset extends string = string> {
  readonly baseUrl: string;
  /** Give the signed URL of a picture; throws OptionError where the server would refuse it. */
  url(source: string, options?: Options, extras?: UrlExtras<Preset>): Promise<string>;
  /** Give the URL of a path that is written already (`/width:300/plain/https://…`), unchecked. */
  signed(path: string): Promise<string>;
  /** Give the signed URL of facts about a picture, as JSON; `choose` has options of facts: `{ lqip: [16, 32] }`. */
  info(source: string, options?: InfoOptions, extras?: InfoExtras): Promise<string>;
}

/**
 * Make a signer with the key and salt of your server, both hex-encoded; on servers only.
 *
 * Empty texts for both make unsigned URLs, which a server answers only with IMGSERVE_ALLOW_UNSIGNED. Name the presets
 * of your server to have them checked: `createSigner<"card" | "hero">(…)`.
 */
export function createSigner<Preset extends string = ShippedPreset | (string & {})>(
  settings: SignerSettings,
): Signer<Preset> {
  if (!settings.allowBrowser) refuseBrowser("createSigner()", IN_A_BROWSER);
  const { separator = ":", signatureSize = DIGEST_BYTES } = settings;
  const baseUrl = (settings.baseUrl ?? "").replace(/\/+$/, "");
  if (!Number.isInteger(signatureSize) || signatureSize < 1 || signatureSize > DIGEST_BYTES) {
    throw new TypeError(`signatureSize: expected 1 to ${DIGEST_BYTES} bytes, got ${signatureSize}.`);
  }
  const sign = signing(settings, signatureSize);
  const joined = async (path: string, before = "") => `${baseUrl}${before}/${await sign(path)}${path}`;
  return {
    baseUrl,
    async url(source, options, { format, ...extras } = {}) {
      const all = format === undefined ? options : { ...options, format };
      return joined(pathOf(OPTIONS, source, { ...extras, options: all, separator }));
    },
    async signed(path) {
      return joined(`/${path.replace(/^\/+/, "")}`);
    },
    async info(source, options, { choose, base64 } = {}) {
      return joined(pathOf(INFO_OPTIONS, source, { options, choose, base64, separator }), "/info");
    },
  };
}

type Sign = (path: string) => Promise<string>;

function signing({ key, salt }: SignerSettings, size: number): Sign {
  const [keyBytes, saltBytes] = [fromHex("key", key), fromHex("salt", salt)];
  if (!keyBytes.length && !saltBytes.length) return async () => UNSIGNED;
  if (!keyBytes.length || !saltBytes.length) {
    throw new TypeError("key and salt belong together: give both, or '' for both to make unsigned URLs.");
  }
  const digest = hmac(keyBytes);
  return async (path) => {
    const text = new TextEncoder().encode(path);
    const message = new Uint8Array(saltBytes.length + text.length);
    message.set(saltBytes);
    message.set(text, saltBytes.length);
    return toBase64Url((await digest(message)).subarray(0, size));
  };
}

function fromHex(name: "key" | "salt", text: string | undefined): Uint8Array<ArrayBuffer> {
  if (typeof text !== "string") {
    const variable = `IMGSERVE_${name.toUpperCase()}`;
    throw new TypeError(
      `${name} is ${text}: is the environment variable set (process.env.${variable})? ` +
        "Give '' for key and salt to make unsigned URLs.",
    );
  }
  const first = text.split(",", 1)[0]!.trim();
  // The value itself stays out of the sentence: logs are read by many.
  if (first.length % 2 || !/^[0-9a-fA-F]*$/.test(first)) {
    throw new TypeError(
      `${name} is not hex-encoded: an even number of the digits 0-9 and a-f, as \`imgserve keygen\` prints them.`,
    );
  }
  return Uint8Array.from(first.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
