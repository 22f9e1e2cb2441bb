import assert from "node:assert/strict";
import { test } from "node:test";

import { createSigner, DEFAULT_WIDTHS, imageProps, srcset, token } from "../dist/index.js";
import loader, { createLoader } from "../dist/loader.js";

const signer = createSigner({ key: "943b421c", salt: "520f986b", baseUrl: "https://img.example.com" });
const SOURCE = "https://example.com/mug.jpg";
const picked = (src, width, quality) => loader({ src, width, quality }).slice(src.length);

test("a token grants what next/image asks for", async () => {
  const src = await token(signer, SOURCE);
  const granted = /\/choose:w:([\d:]+)\/plain\//.exec(src)[1].split(":").map(Number);
  assert.deepEqual(new Set(granted), new Set(DEFAULT_WIDTHS));
  for (const width of DEFAULT_WIDTHS) assert.equal(picked(src, width), `?w=${width}`);
});

test("a token whose query was lost is as wide as its room, or as a page is", async () => {
  const first = async (settings) => /\/choose:\w+:([\d.]+)/.exec(await token(signer, SOURCE, settings))[1];
  assert.equal(await first({}), "1200");
  assert.equal(await first({ widths: [320, 640] }), "640");
  assert.equal(await first({ widths: [640, 1080, 1920, 2048] }), "1920");
  assert.equal(await first({ width: 300, widths: [64, 320, 640] }), "320");
  assert.equal(await first({ width: 300, height: 200, widths: [64, 330, 640] }), "1.1");
});

test("picks that are there already are taken the place of, and other parameters stay", async () => {
  const src = await token(signer, SOURCE, { widths: [320, 640], qualities: [75, 90] });
  assert.equal(loader({ src: `${src}?w=320`, width: 640 }), `${src}?w=640`);
  assert.equal(loader({ src: `${src}?v=a?b&w=320&q=75`, width: 640 }), `${src}?v=a?b&q=75&w=640`);
  assert.equal(loader({ src: `${src}?q=75`, width: 640, quality: 90 }), `${src}?w=640&q=90`);
});

test("a width that is not granted becomes the next larger one, or the largest", async () => {
  const src = await token(signer, SOURCE, { widths: [1200, 320, 640] });
  assert.deepEqual(
    [1, 320, 321, 700, 3840].map((width) => picked(src, width)),
    ["?w=320", "?w=320", "?w=640", "?w=1200", "?w=1200"],
  );
});

test("a quality becomes the nearest that is granted", async () => {
  const src = await token(signer, SOURCE, { widths: [640], qualities: [75, [30, 50], 90] });
  assert.deepEqual(
    [undefined, 10, 40, 60, 100].map((quality) => picked(src, 640, quality)),
    ["?w=640", "?w=640&q=30", "?w=640&q=40", "?w=640&q=50", "?w=640&q=90"],
  );
  assert.equal(picked(src, 640, Number.NaN), "?w=640");
  assert.equal(picked(await token(signer, SOURCE, { widths: [640] }), 640, 50), "?w=640");
});

test("ranges of widths grant each of them", () => {
  assert.equal(picked("/sig/choose:width:100-2000/plain/a.jpg", 333), "?width=333");
  assert.equal(picked("/sig/choose:w:100-2000:3000/plain/a.jpg", 2500), "?w=3000");
});

test("of a fixed box a token grants densities, and the loader finds widths among them", async () => {
  const src = await token(signer, SOURCE, { width: 600, height: 400, widths: [300, 640, 1200] });
  assert.ok(src.includes("/resizing_type:fill-down/width:600/height:400/choose:dpr:1.0667:0.5:2/plain/"));
  assert.deepEqual(
    [64, 640, 641, 5000].map((width) => picked(src, width)),
    ["?dpr=0.5", "?dpr=1.0667", "?dpr=2", "?dpr=2"],
  );
});

test("a box of the options counts, and how it is filled is theirs to say", async () => {
  const boxed = await token(signer, SOURCE, {
    widths: [600],
    options: { resize: { type: "force", width: 300, height: 100 } },
  });
  assert.ok(boxed.includes("/resizing_type:force/width:300/height:100/choose:dpr:2/"));
  const preset = await token(signer, SOURCE, { widths: [600], width: 600, height: 400, presets: ["grid"] });
  assert.ok(preset.includes("/preset:grid/width:600/height:400/choose:dpr:1/"));
  const other = await token(signer, SOURCE, {
    widths: [64],
    width: 32,
    height: 32,
    options: { width: 500, resizingType: "fit" },
  });
  assert.ok(other.includes("/resizing_type:fit/width:32/height:32/choose:dpr:2/"));
  await assert.rejects(token(signer, SOURCE, { height: 400 }), { where: "height" });
});

test("a token is read with any separator, encoded source and prefix, and choices of a source are no choices", async () => {
  const other = createSigner({ key: "", salt: "", separator: ",", baseUrl: "/images" });
  const src = await token(other, SOURCE, { widths: [640, 750], base64: true });
  assert.equal(picked(src, 700), "?w=750");
  assert.throws(() => picked("/sig/width:1/plain/https://example.com/choose:w:640/a.jpg", 640), /no token/);
});

test("what is no token is told while developing, and shown as it is in production", (context) => {
  assert.throws(
    () => loader({ src: "/logo.svg", width: 640 }),
    /\/logo\.svg[^]*token\(signer, source\)[^]*unoptimized/,
  );
  assert.equal(createLoader({ other: ({ src, width }) => `${src}?x=${width}` })({ src: "/a", width: 5 }), "/a?x=5");
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  context.after(() => (before === undefined ? delete process.env.NODE_ENV : (process.env.NODE_ENV = before)));
  assert.equal(loader({ src: "/logo.svg", width: 640 }), "/logo.svg");
});

test("a srcset has one signature, or one for each width", async () => {
  const one = await srcset(signer, SOURCE, { widths: [750, 640], quality: 70 });
  const [first, second] = one.split(", ").map((text) => text.split(" "));
  assert.deepEqual([first[1], second[1]], ["640w", "750w"]);
  assert.equal(first[0].split("?")[0], second[0].split("?")[0]);
  assert.ok(first[0].includes("/quality:70/choose:w:750:640/plain/") && first[0].endsWith("?w=640"));
  const each = await srcset(signer, SOURCE, { widths: [640, 750], mode: "urls" });
  assert.equal(
    each,
    `${await signer.url(SOURCE, { width: 640 })} 640w, ${await signer.url(SOURCE, { width: 750 })} 750w`,
  );
});

test("a source with commas and spaces does not break a srcset", async () => {
  const one = await srcset(signer, "https://example.com/a, b.jpg", { widths: [640, 750] });
  assert.equal(one.split(/,\s/).length, 2);
});

test("an <img> without sizes has two densities", async () => {
  const props = await imageProps(signer, SOURCE, { width: 300, alt: "A mug", loading: "lazy" });
  assert.deepEqual([props.alt, props.loading, props.width], ["A mug", "lazy", 300]);
  assert.match(props.srcSet, /\?w=300 1x, \S+\?w=600 2x$/);
  assert.ok(props.src.endsWith("?w=600") && !("sizes" in props) && !("options" in props));
});

test("an <img> with sizes has the widths that these can need", async () => {
  const props = await imageProps(signer, SOURCE, { sizes: "(max-width: 700px) 100vw, 50vw" });
  const widths = [...props.srcSet.matchAll(/ (\d+)w/g)].map(([, width]) => Number(width));
  assert.deepEqual(widths, [384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840]);
  assert.equal(
    (await imageProps(signer, SOURCE, { width: 600, widths: [600, 1200] })).sizes,
    "(max-width: 600px) 100vw, 600px",
  );
  await assert.rejects(imageProps(signer, SOURCE, {}), { where: "width" });
});

test("a placeholder is asked for once, and done without where it cannot be had", async () => {
  const asked = [];
  const lqip = { width: 400, height: 300, blurDataURL: "data:image/webp;base64,AA", widths: [400] };
  const answer = (url) => (asked.push(url), Promise.resolve(Response.json({ lqip })));
  const settings = { width: 300, placeholder: "blur" };
  assert.equal((await imageProps(signer, SOURCE, { ...settings, fetch: answer })).blurDataURL, lqip.blurDataURL);
  assert.equal(asked.length, 1);
  assert.match(asked[0], /^https:\/\/img\.example\.com\/info\/[^/]+\/.*lqip:16\/plain\//);
  for (const fetch of [() => Promise.reject(new Error("down")), async () => new Response("no", { status: 502 })]) {
    assert.ok(!("blurDataURL" in (await imageProps(signer, SOURCE, { ...settings, fetch }))));
  }
});

test("a srcset has a width at least", async () => {
  for (const mode of ["token", "urls"]) {
    await assert.rejects(srcset(signer, SOURCE, { widths: [], mode }), { where: "widths" });
    await assert.rejects(imageProps(signer, SOURCE, { widths: [], mode }), { where: "widths" });
  }
});

test("widths are whole numbers", async () => {
  for (const widths of [[0], [1.5], [-1], ["640"]]) {
    await assert.rejects(srcset(signer, SOURCE, { widths }), { where: "widths" });
  }
});
