// Write src/generated from the server's own description of its options: `npm run generate`; --check only compares.
import { readFileSync, readdirSync, writeFileSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { tableText } from "./table.mjs";
import { presetsText, typesText } from "./types.mjs";

const root = new URL("../../../", import.meta.url);
const out = new URL("../src/generated/", import.meta.url);
const schema = (name) => JSON.parse(readFileSync(new URL(`docs/${name}.schema.json`, root), "utf8"));

const options = schema("options");
const info = schema("info");
const presets = readdirSync(new URL("presets/", root))
  .filter((name) => name.endsWith(".toml"))
  .sort()
  .map((name) => ({
    name: name.replace(/\.toml$/, ""),
    doc: /^doc = "(.*)"/m.exec(readFileSync(new URL(`presets/${name}`, root), "utf8"))?.[1] ?? "",
  }));

const files = {
  "options.ts": typesText(options, { name: "Options", page: "options", ofPictures: true }),
  "options-table.ts": tableText(options, { name: "OPTIONS", page: "options" }),
  "info.ts": typesText(info, { name: "InfoOptions", page: "info", ofPictures: false }),
  "info-table.ts": tableText(info, { name: "INFO_OPTIONS", page: "info" }),
  "presets.ts": presetsText(presets),
};

let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const file = new URL(name, out);
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  stale += 1;
  if (process.argv.includes("--check")) console.error(`${fileURLToPath(file)} is not current: npm run generate`);
  else writeFileSync(file, text);
}
process.exitCode = stale && process.argv.includes("--check") ? 1 : 0;
