// The only module that sees secrets. With "server-only", a client component that imports it does not build.
import "server-only";

import { createSigner, type Signer } from "imgserve";
import { type Client, createClient } from "imgserve/jobs";

// Made at the first use and not when this is read: `next build` reads all modules, and should need no secret.
let signing: Signer | undefined;
let ordering: Client | undefined;

export function signer(): Signer {
  return (signing ??= createSigner({
    key: process.env.IMGSERVE_KEY,
    salt: process.env.IMGSERVE_SALT,
    baseUrl: process.env.IMAGES_URL,
  }));
}

export function jobs(): Client {
  return (ordering ??= createClient({ baseUrl: process.env.IMAGES_URL!, apiKey: process.env.IMAGES_API_KEY }));
}
