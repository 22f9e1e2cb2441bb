// The code of docs/javascript.md, by the names of its files.
import { readFileSync } from "node:fs";

const PAGE = new URL("../../../docs/javascript.md", import.meta.url);

/** Give each block of JavaScript with the file name that the sentence before it has last. */
export function codeBlocks() {
  const page = readFileSync(PAGE, "utf8");
  return [...page.matchAll(/^```(?:js|ts|tsx)\n([^]*?)^```$/gm)].map((found) => {
    const before = page.slice(0, found.index).trimEnd().split("\n\n").at(-1);
    const name = [...before.matchAll(/`([\w./-]+\.(?:mjs|tsx?))`/g)].at(-1)?.[1];
    if (!name) throw new Error(`no file is named before:\n${found[1]}`);
    return { name, text: found[1] };
  });
}
