// HMAC-SHA256: by Node.js' own crypto where it is there, else by WebCrypto.
import { hmacKey, subtle } from "./webcrypto.js";

export type Hmac = (message: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>;

interface NodeCrypto {
  createHmac(name: "sha256", key: Uint8Array): { update(message: Uint8Array): { digest(): Uint8Array } };
}

declare const process: { getBuiltinModule?: (name: "node:crypto") => NodeCrypto | undefined } | undefined;

/**
 * Give the function that signs with a key.
 *
 * In Node.js it is done at once: to a Next.js with Cache Components, what WebCrypto gives later is data of the request,
 * and a page with it could not be made ahead.
 */
export function hmac(key: Uint8Array<ArrayBuffer>): Hmac {
  const node = nodeCrypto();
  if (node) return (message) => node.createHmac("sha256", key).update(message).digest();
  let imported: Promise<CryptoKey> | undefined;
  return async (message) => {
    imported ??= hmacKey(key, "sign");
    return new Uint8Array(await (await subtle()).sign("HMAC", await imported, message));
  };
}

function nodeCrypto(): NodeCrypto | undefined {
  try {
    return typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:crypto");
  } catch {
    // The edge runtime of Next.js has a `process`, and throws at what it lacks.
    return undefined;
  }
}
