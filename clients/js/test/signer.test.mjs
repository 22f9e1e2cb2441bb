import assert from "node:assert/strict";
import { test } from "node:test";

import { createSigner, definePresets, OptionError } from "../dist/index.js";

const KEYS = { key: "943b421c", salt: "520f986b" };
const signer = createSigner(KEYS);
const optionsOf = async (options) => (await signer.url("mug.jpg", options)).split("/").slice(2, -2).join("/");

test("names in camelCase, in snake_case, with a dash and short ones are one option", async () => {
  for (const options of [{ minWidth: 300 }, { "min-width": 300 }, { min_width: 300 }, { mw: 300 }]) {
    assert.equal(await optionsOf(options), "min-width:300");
  }
  assert.equal(await optionsOf({ resizingType: "fill" }), "resizing_type:fill");
  assert.equal(
    await optionsOf({ crop: { cropWidth: 0.5, cropGravity: "no" } }),
    await optionsOf({ c: { crop_width: 0.5, crop_gravity: "no" } }),
  );
});

test("an option that is undefined is not there", async () => {
  assert.equal(
    await optionsOf({ width: 300, quality: undefined, watermark: { opacity: 1, x: undefined } }),
    "width:300/watermark:1",
  );
});

test("tables of a gravity and of formats are values of their own as well", async () => {
  assert.equal(await optionsOf({ gravity: { type: "fp", x: 0.5, y: 0.25 } }), "gravity:fp:0.5:0.25");
  assert.equal(await optionsOf({ formatQuality: { webp: 70, jpg: 80 } }), "format_quality:jpeg:80:webp:70");
});

test("format is an option beside the others, too", async () => {
  assert.ok((await signer.url("mug.jpg", { width: 1 }, { format: "jpg" })).includes("/width:1/format:jpeg/"));
});

test("slashes around paths and base URLs do not matter", async () => {
  const absolute = createSigner({ ...KEYS, baseUrl: "https://img.example.com//" });
  assert.equal(await absolute.signed("width:1/plain/a"), await absolute.signed("//width:1/plain/a"));
  assert.ok((await absolute.url("a")).startsWith("https://img.example.com/"));
});

test("facts of a picture have options of their own, and the signature of what follows it", async () => {
  const url = await signer.info("mug.jpg", { lqip: 16, exif: false, detectObjects: true });
  const path = url.replace(/^\/info\/[^/]+/, "");
  assert.equal(path, "/exif:0/lqip:16/detect_objects:1/plain/mug.jpg");
  assert.equal(url, `/info${await signer.signed(path)}`);
  await assert.rejects(signer.info("mug.jpg", { width: 300 }), { name: "OptionError", where: "width" });
});

test("facts leave choices to the page, too", async () => {
  const url = await signer.info("mug.jpg", { exif: false }, { choose: { lqip: [16, 32] } });
  assert.ok(url.endsWith("/exif:0/choose:lqip:16:32/plain/mug.jpg"), url);
  await assert.rejects(signer.info("mug.jpg", {}, { choose: { w: [640] } }), { name: "OptionError", where: "w" });
});

for (const [settings, told] of [
  [{ key: undefined, salt: "00" }, /IMGSERVE_KEY/],
  [{ key: "00", salt: undefined }, /IMGSERVE_SALT/],
  [{ key: "00", salt: "" }, /belong together/],
  [{ key: "xyz", salt: "00" }, /key is not hex/],
  [{ key: "00", salt: "0" }, /salt is not hex/],
  [{ ...KEYS, signatureSize: 33 }, /signatureSize/],
]) {
  test(`a signer is refused: ${told.source}`, () => {
    assert.throws(
      () => createSigner(settings),
      (wrong) => told.test(wrong.message) && !wrong.message.includes("xyz"),
    );
  });
}

test("a browser is no place for a key", (context) => {
  globalThis.window = {};
  context.after(() => delete globalThis.window);
  assert.throws(() => createSigner(KEYS), /in a browser.*imgserve\/loader/);
  assert.ok(createSigner({ ...KEYS, allowBrowser: true }));
});

test("sources that browsers would change on their way are refused, and encoded ones are not", async () => {
  for (const source of ["https://example.com/a/../b.jpg", "https://example.com/./b.jpg", "", "a\nb", "\ud800"]) {
    await assert.rejects(signer.url(source), { name: "OptionError", where: "source" });
  }
  assert.ok(await signer.url("https://example.com/a/../b.jpg", {}, { base64: true }));
  assert.ok(await signer.url("https://example.com/a..b/.well-known/...jpg"));
});

test("values that browsers would escape are refused", async () => {
  for (const value of ["a b", "ä", 'a"b', "a%3Ab"]) {
    await assert.rejects(signer.url("mug.jpg", { cachebuster: value }), { where: "cachebuster" });
  }
});

test("values that have no JSON are told as well", async () => {
  const circle = {};
  circle.type = circle;
  for (const options of [{ width: 1n }, { width: Symbol("x") }, { gravity: circle }]) {
    await assert.rejects(signer.url("mug.jpg", options), { name: "OptionError", where: Object.keys(options)[0] });
  }
});

test("presets of one's own are checked where they are defined", async () => {
  const looks = definePresets({ card: { width: 300, gravity: "sm" } });
  assert.equal(await optionsOf({ ...looks.card, quality: 60 }), "width:300/gravity:sm/quality:60");
  assert.throws(() => definePresets({ card: { width: -1 } }), OptionError);
});

test("an unknown name tells which one was meant", async () => {
  await assert.rejects(signer.url("mug.jpg", { widht: 3 }), /\(width\?\)/);
});

test("of several keys the first signs", async () => {
  const rotating = createSigner({ key: "943b421c, aa", salt: "520f986b,bb" });
  assert.equal(await rotating.url("mug.jpg"), await signer.url("mug.jpg"));
});
