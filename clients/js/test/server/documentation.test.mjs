// The programs of docs/javascript.md, run as they stand there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { codeBlocks } from "../documentation.mjs";
import { install } from "../installed.mjs";

const { IMGSERVE_TEST_URL, IMGSERVE_TEST_KEY, IMGSERVE_TEST_SALT, IMGSERVE_TEST_API_KEY } = process.env;
const environment = {
  IMAGES_URL: IMGSERVE_TEST_URL,
  IMGSERVE_KEY: IMGSERVE_TEST_KEY,
  IMGSERVE_SALT: IMGSERVE_TEST_SALT,
  IMAGES_API_KEY: IMGSERVE_TEST_API_KEY,
};

let project;
before(() => {
  project = install();
  for (const { name, text } of codeBlocks()) project.write(name, text);
});
after(() => project.remove());

const urlsIn = (text) => [...text.matchAll(/https?:\/\/[^\s"]+/g)].map(([url]) => url);

test("page.mjs writes a page whose pictures are there", async () => {
  project.node("page.mjs", environment);
  const page = readFileSync(join(project.folder, "page.html"), "utf8");
  const urls = urlsIn(page);
  assert.equal(urls.length, 3);
  for (const url of urls) assert.equal((await fetch(url)).status, 200, url);
  assert.match(page, /width="600" height="400"/);
});

test("urls.mjs prints URLs that the server answers", async () => {
  const urls = urlsIn(project.node("urls.mjs", environment));
  assert.equal(urls.length, 6);
  for (const url of urls) assert.equal((await fetch(url)).status, 200, url);
});

test("order.mjs waits for its job and prints where the picture is", { timeout: 90_000 }, async () => {
  const lines = project.node("order.mjs", environment).trim().split("\n");
  assert.match(lines.at(-2), /^done \w+ 100 %$/);
  assert.equal((await fetch(lines.at(-1))).status, 200);
});
