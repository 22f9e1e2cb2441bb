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
