// URLs of this package asked of a real server, which tests/clients/test_js_client.py starts: IMGSERVE_TEST_URL.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createSigner, imageProps, OptionError, placeholder, srcset, token } from "../../dist/index.js";
import loader from "../../dist/loader.js";
import { createImageHandler } from "../../dist/next.js";

const { IMGSERVE_TEST_URL: baseUrl, IMGSERVE_TEST_KEY: key, IMGSERVE_TEST_SALT: salt } = process.env;
const signer = createSigner({ key, salt, baseUrl });
/** 960 x 480. */
const WIDE = "local:///wide.png";

/** Ask for a picture and give its size; all of these are PNG, whose head has it. */
async function sizeOf(url) {
  const answer = await fetch(url);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  assert.equal(answer.status, 200, new TextDecoder().decode(bytes));
  assert.equal(answer.headers.get("content-type"), "image/png");
  const view = new DataView(bytes.buffer);
  return [view.getUint32(16), view.getUint32(20)];
}

const candidates = (set) => set.split(", ").map((text) => text.split(" "));

test("a signed URL is answered with the picture", async () => {
  const options = { resize: { type: "fill", width: 120, height: 80 }, gravity: "fp:0.2:0.5", blur: 0.5 };
  assert.deepEqual(await sizeOf(await signer.url(WIDE, options)), [120, 80]);
  assert.deepEqual(await sizeOf(await signer.url(WIDE, options, { base64: true })), [120, 80]);
});

test("another key is refused", async () => {
  const other = createSigner({ key: "00", salt: "00", baseUrl });
  assert.equal((await fetch(await other.url(WIDE, { width: 10 }))).status, 403);
});

test("names with spaces and letters of all the world arrive", async () => {
  for (const base64 of [false, true]) {
    assert.deepEqual(
      await sizeOf(await signer.url("local:///Tasse für Tee, 100%.png", { width: 96 }, { base64 })),
      [96, 48],
    );
  }
});

for (const mode of ["token", "urls"]) {
  test(`each candidate of a srcset is as wide as it says (${mode})`, async () => {
    for (const [url, width] of candidates(await srcset(signer, WIDE, { widths: [100, 333, 640], mode }))) {
      assert.equal(`${(await sizeOf(url))[0]}w`, width);
    }
  });

  test(`a crop has its ratio at every width (${mode})`, async () => {
    const set = await srcset(signer, WIDE, { width: 300, height: 200, widths: [150, 300, 480, 500, 600], mode });
    const sizes = [];
    for (const [url] of candidates(set)) sizes.push(await sizeOf(url));
    assert.deepEqual(sizes, [
      [150, 100],
      [300, 200],
      [480, 320],
      [500, 333],
      [600, 400],
    ]);
  });
}

test("a crop has its ratio where the source is too small for it", async () => {
  const src = await token(signer, WIDE, { width: 900, height: 900 });
  const [width, height] = await sizeOf(loader({ src, width: 3840 }));
  assert.equal(width, height);
  assert.ok(width <= 480);
});

test("a preset keeps its ratio when it is told its size", async () => {
  const src = await token(signer, WIDE, { width: 600, height: 400, presets: ["grid"] });
  assert.deepEqual(await sizeOf(loader({ src, width: 640 })), [640, 427]);
});

test("no width or quality that next/image may ask for is refused", async () => {
  const src = await token(signer, WIDE, { widths: [64, 128, 256], qualities: [75, [30, 60]] });
  for (const [width, quality] of [
    [1, 1],
    [100, 60],
    [3840, 100],
    [128, undefined],
  ]) {
    const wanted = width <= 64 ? 64 : width <= 128 ? 128 : 256;
    assert.equal((await sizeOf(loader({ src, width, quality })))[0], wanted);
  }
});

test("what a token does not grant is refused by the server", async () => {
  const src = await token(signer, WIDE, { widths: [64, 128] });
  for (const query of ["w=65", "w=064", "w=64&w=128"])
    assert.equal((await fetch(`${src}?${query}`)).status, 400, query);
});

test("a picture and its placeholder", async () => {
  const props = await imageProps(signer, WIDE, { width: 200, placeholder: "blur", alt: "wide" });
  const densities = candidates(props.srcSet).map(([, density]) => density);
  assert.deepEqual(densities, ["1x", "2x"]);
  assert.deepEqual(await sizeOf(props.src), [400, 200]);
  assert.match(props.blurDataURL, /^data:image\/webp;base64,/);
  const told = await placeholder(signer, WIDE, { width: 8 });
  assert.deepEqual([told.width, told.height, told.widths.at(-1)], [960, 480, 960]);
  assert.ok((await fetch(told.blurDataURL)).ok);
});

test("a source that is not there is told with the server's words", async () => {
  await assert.rejects(placeholder(signer, "local:///none.png"), { name: "ImgserveError", status: 404 });
});

test("facts of a picture", async () => {
  const answer = await fetch(await signer.info(WIDE, { exif: false, calcHashsums: ["sha256"] }));
  const facts = await answer.json();
  assert.deepEqual([facts.format, facts.width, facts.height, facts.hashsums.sha256.length], ["png", 960, 480, 64]);
});

test("facts of which the page chooses", async () => {
  const url = await signer.info(WIDE, { exif: false }, { choose: { lqip: [8, 16] } });
  const [byDefault, picked] = await Promise.all([url, `${url}?lqip=16`].map(async (one) => (await fetch(one)).json()));
  assert.notEqual(picked.lqip.blurDataURL, byDefault.lqip.blurDataURL);
});

test("a route handler leads to the picture", async () => {
  const handler = createImageHandler({ signer, allow: ["local:///"], width: 300, height: 200 });
  const query = new URLSearchParams({ src: WIDE, w: "640", q: "75" });
  const answer = await handler(new Request(`https://site.example/img?${query}`));
  assert.deepEqual(await sizeOf(answer.headers.get("location")), [640, 427]);
});

test("a route handler finds files with spaces and letters of all the world", async () => {
  const handler = createImageHandler({ signer, allow: ["local:///"] });
  const query = new URLSearchParams({ src: "local:///Tasse für Tee, 100%.png", w: "96" });
  const answer = await handler(new Request(`https://site.example/img?${query}`));
  assert.deepEqual(await sizeOf(answer.headers.get("location")), [96, 48]);
});

test("a token whose query was lost shows a picture that is large enough", async () => {
  assert.deepEqual(await sizeOf(await token(signer, WIDE, { widths: [64, 128, 256] })), [256, 128]);
  assert.deepEqual(
    await sizeOf(await token(signer, WIDE, { width: 300, height: 200, widths: [150, 300, 600] })),
    [300, 200],
  );
});

test("what the server refuses is refused before", async () => {
  const wrong = [{ width: -1 }, { quality: 101 }, { gravity: "fp:2:0" }, { background: "red" }];
  for (const options of wrong) await assert.rejects(signer.url(WIDE, options), OptionError);
  for (const segment of ["width:-1", "quality:101", "gravity:fp:2:0", "background:red"]) {
    assert.equal((await fetch(await signer.signed(`/${segment}/plain/${WIDE}`))).status, 400, segment);
  }
});
