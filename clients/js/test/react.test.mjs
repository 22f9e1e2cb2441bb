import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { renderToStaticMarkup } from "react-dom/server";

import { createSigner } from "../dist/index.js";
import { SignedImage, signedImageProps } from "../dist/react.js";

const KEYS = { key: "943b421c", salt: "520f986b" };
const signer = createSigner({ ...KEYS, baseUrl: "https://img.example.com" });
const rendered = async (props) =>
  renderToStaticMarkup(await SignedImage({ signer, src: "local:///mug.jpg", alt: "A mug", ...props }));

test("a picture has a token and the widths that next/image wants of it", async () => {
  const html = await rendered({ width: 600, height: 400, presets: ["grid"], priority: true });
  assert.match(html, /<img alt="A mug" width="600" height="400"/);
  assert.match(
    html,
    /srcSet="https:\S+\/preset:grid\/width:600\/height:400\/choose:dpr:\S+\?dpr=1\.0667 1x, \S+\?dpr=2 2x"/,
  );
  for (const secret of ["943b421c", "signer", "presets"]) assert.ok(!html.includes(secret), secret);
});

test("a picture that fills its place has widths, and a quality of its own", async () => {
  const html = await rendered({ fill: true, sizes: "50vw", quality: 60 });
  assert.match(html, /sizes="50vw"/);
  assert.match(html, /quality:60\/choose:w:\S+\?w=640 640w/);
});

test("props are data: nothing of them is a function that could not cross to the client", async () => {
  const element = await SignedImage({
    signer,
    src: "local:///mug.jpg",
    alt: "",
    width: 6,
    height: 4,
    widths: [6],
    options: {},
  });
  assert.deepEqual(structuredClone(element.props), element.props);
  assert.deepEqual(Object.keys(element.props).sort(), ["alt", "height", "src", "width"]);
});

test("a placeholder is shown, and done without where the server has none", async (context) => {
  const lqip = { width: 4, height: 3, blurDataURL: "data:image/webp;base64,AAAA", widths: [4] };
  const server = createServer((request, response) =>
    response.writeHead(request.url.includes("good") ? 200 : 500).end(JSON.stringify({ lqip })),
  ).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  context.after(() => (server.closeAllConnections(), server.close()));
  const near = createSigner({ ...KEYS, baseUrl: `http://127.0.0.1:${server.address().port}` });
  const props = { signer: near, width: 600, height: 400, placeholder: "blur" };
  assert.match(await rendered({ ...props, src: "local:///good.jpg" }), /data:image\/webp;base64,AAAA/);
  assert.ok(!(await rendered({ ...props, src: "local:///bad.jpg" })).includes("background-image"));
});

test("a picture that failed is not asked for again at once, so that a page made twice is twice the same", async (context) => {
  let asked = 0;
  const server = createServer((_, response) => (++asked, response.writeHead(200).write("{"), response.destroy()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => (server.closeAllConnections(), server.close()));
  const near = createSigner({ ...KEYS, baseUrl: `http://127.0.0.1:${server.address().port}` });
  const props = { signer: near, width: 600, height: 400, placeholder: "blur" };
  assert.equal(await rendered(props), await rendered(props));
  assert.equal(asked, 1);
  await rendered({ ...props, src: "local:///other.jpg" });
  assert.equal(asked, 2);
});

test("what Next.js interrupts a page with is left to it", async (context) => {
  const interruption = Object.assign(new Error("prerender"), { digest: "HANGING_PROMISE_REJECTION" });
  context.mock.method(globalThis, "fetch", () => Promise.reject(interruption));
  await assert.rejects(rendered({ width: 6, height: 4, placeholder: "blur" }), interruption);
});

const NEXT_IMAGES = [
  { width: 600, height: 400 },
  { width: 5000, height: 3000 },
  { width: 20, height: 10 },
  { fill: true },
  { fill: true, sizes: "100vw" },
  { fill: true, sizes: "(max-width: 640px) 100vw, 30vw" },
  { width: 600, height: 400, sizes: "20rem" },
];

for (const props of NEXT_IMAGES) {
  test(`a token grants what next/image asks for and nothing else: ${JSON.stringify(props)}`, async () => {
    const [, set] = /srcSet="([^"]+)"/.exec(await rendered(props));
    const granted = /\/choose:(?:w|dpr):([\d.:]+)\/plain\//.exec(set)[1].split(":");
    const asked = new Set([...set.matchAll(/\?(?:w|dpr)=([\d.]+) /g)].map(([, pick]) => pick));
    assert.deepEqual(new Set(granted), asked);
    assert.equal(granted.length, asked.size);
  });
}

test("a picture that is not optimized is as wide as its room", async () => {
  const html = await rendered({ width: 600, height: 400, unoptimized: true });
  assert.match(html, /width:600\/height:400\/choose:dpr:1\.0667:2\/plain\/local:\/\/\/mug\.jpg"/);
  assert.ok(!html.includes("srcSet"));
});

test("a wrong option is told where the page is made", async () => {
  await assert.rejects(rendered({ width: 6, height: 4, options: { blur: -1 } }), {
    name: "OptionError",
    where: "blur",
  });
});

test("its props alone are what a client component hands to next/image", async () => {
  const props = await signedImageProps({ signer, src: "local:///mug.jpg", alt: "A mug", width: 600, height: 400 });
  assert.deepEqual(Object.keys(props).sort(), ["alt", "height", "src", "width"]);
  assert.deepEqual(structuredClone(props), props);
  assert.match(props.src, /\/choose:dpr:/);
  const element = await SignedImage({ signer, src: "local:///mug.jpg", alt: "A mug", width: 600, height: 400 });
  assert.deepEqual(element.props, props);
});
