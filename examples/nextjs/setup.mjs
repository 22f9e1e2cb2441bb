// Make this example ready in a fresh checkout: build the package, install, and take the settings of `scripts/serve`.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const OLDEST = [20, 9]; // as Next.js 16 wants it

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  console.error(`Node.js ${OLDEST.join(".")} or newer is needed, for Next.js 16: this is ${process.versions.node}.`);
  console.error("Debian 12 has an older one: take a newer from https://nodejs.org, then run this again.");
  process.exit(1);
}

const root = new URL("../../", import.meta.url);
const here = new URL("./", import.meta.url);
const npm = (folder, ...words) =>
  execFileSync("npm", words, { cwd: folder, stdio: "inherit", shell: process.platform === "win32" });

const client = new URL("clients/js/", root);
npm(client, "ci", "--ignore-scripts", "--no-audit", "--no-fund");
npm(client, "run", "build");
npm(here, "ci", "--ignore-scripts", "--no-audit", "--no-fund");

const settings = new URL(".env.local", here);
const served = new URL(".run/serve.env", root);
if (existsSync(settings)) {
  console.log("\n.env.local is there already: left as it is.");
} else if (existsSync(served)) {
  writeFileSync(settings, settingsFrom(readFileSync(served, "utf8")), { mode: 0o600 });
  console.log("\n.env.local: made from .run/serve.env, for the server of scripts/serve.");
} else {
  console.log("\nRun scripts/serve once, then this again; or fill in .env.local yourself, as .env.example says.");
}

function settingsFrom(text) {
  const value = (name) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
  // Of the API key, the settings of the server have the hash alone; the key itself stands in a comment beside it.
  const apiKey = /^# the key.*: (\S+)$/m.exec(text)?.[1] ?? "";
  const lines = {
    IMAGES_URL: value("IMAGES_URL"),
    IMAGES_API_KEY: apiKey,
    IMGSERVE_KEY: value("IMGSERVE_KEY"),
    IMGSERVE_SALT: value("IMGSERVE_SALT"),
  };
  return Object.entries(lines)
    .map(([name, text]) => `${name}=${text}\n`)
    .join("");
}
