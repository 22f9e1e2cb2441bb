// The original beside the result, as large as there is anything to see of it.

import { CLIENTS } from "./recipe.js";
import { picture } from "./server.js";

// Its side, and a quality of which nothing is to be seen but the picture.
const SIDE_PX = 1600;
const QUALITY = 92;

/** Fetch the original of a source; gives its blob, null where URLs name presets alone and there is no way to it. */
export async function original(source, { server, catalog }) {
  if (!catalog.groups.length) return null;
  const fitted = { resize: { type: "fit", width: SIDE_PX, height: SIDE_PX }, quality: QUALITY };
  const known = Object.keys(fitted).every((name) => catalog.options.has(name));
  const { url } = await server.sign({ source, ...(known ? { options: fitted } : {}) });
  const { blob } = await picture(url, CLIENTS.none.accept);
  return blob;
}
