// WebCrypto where it is: global everywhere but in Node.js 18.

/** Give the platform's SubtleCrypto. */
export async function subtle(): Promise<SubtleCrypto> {
  if (globalThis.crypto?.subtle) return globalThis.crypto.subtle;
  // Node.js 18 alone comes here; the comments keep bundlers from looking for the module.
  const name = "node:crypto";
  const node = (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name)) as {
    webcrypto: Crypto;
  };
  return node.webcrypto.subtle;
}

/** Import the key of an HMAC-SHA256. */
export async function hmacKey(bytes: Uint8Array<ArrayBuffer>, use: "sign" | "verify"): Promise<CryptoKey> {
  return (await subtle()).importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [use]);
}
