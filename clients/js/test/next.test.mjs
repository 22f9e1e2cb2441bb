import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { createSigner } from "../dist/index.js";
import { createImageHandler, createPagesImageHandler } from "../dist/next.js";

const signer = createSigner({ key: "943b421c", salt: "520f986b", baseUrl: "https://img.example.com" });
const ALLOWED = "https://shop.example.com/photos/mug.jpg";
const ask = (settings, query) =>
  createImageHandler({ signer, allow: ["https://shop.example.com/photos/"], ...settings })(
    new Request(`https://site.example/img?${new URLSearchParams(query)}`),
  );

test("a request is redirected to the signed URL, and browsers keep the redirect", async () => {
  const answer = await ask({ options: { format: "webp" } }, { src: ALLOWED, w: "640" });
  assert.equal(answer.status, 307);
  assert.equal(answer.headers.get("location"), await signer.url(ALLOWED, { format: "webp", width: 640 }));
  assert.equal(answer.headers.get("cache-control"), "public, max-age=3600");
});

test("next/image's own loader is understood, and a quality becomes the nearest one", async () => {
  const answer = await ask({ qualities: [50, 90] }, { url: ALLOWED, w: "640", q: "75" });
  assert.equal(answer.headers.get("location"), await signer.url(ALLOWED, { width: 640, quality: 90 }));
});

test("a fixed box keeps its ratio", async () => {
  const answer = await ask({ width: 600, height: 400, widths: [1200] }, { src: ALLOWED, w: "1200" });
  assert.ok(answer.headers.get("location").includes("/resizing_type:fill-down/width:600/height:400/dpr:2/"));
});

for (const [what, src] of [
  ["another host", "https://evil.example/mug.jpg"],
  ["a host that begins so", "https://shop.example.com.evil.example/photos/mug.jpg"],
  ["a way out of the folder", "https://shop.example.com/photos/../secret.jpg"],
  ["an escaped way out", "https://shop.example.com/photos/%2e%2e/secret.jpg"],
  ["a way out that origins decode", "https://shop.example.com/photos/..%2Fsecret.jpg"],
  ["a way out with a backslash", "https://shop.example.com/photos/..%5c..%5Csecret.jpg"],
  ["a way out with a parameter", "https://shop.example.com/photos/..;/secret.jpg"],
  ["a way out of a folder on disk", "local:///photos/../secret.jpg"],
  ["a bucket that begins so", "s3://photos-of-others/a.jpg"],
  ["a password", "https://shop.example.com@evil.example/photos/a.jpg"],
  ["a path", "/etc/passwd"],
  ["another scheme", "file:///photos/a.jpg"],
]) {
  test(`${what} is not allowed`, async () => {
    const allow = ["https://shop.example.com/photos/", "local:///photos/", "s3://photos"];
    const answer = await ask({ allow }, { src, w: "640" });
    assert.equal(answer.status, 403);
    assert.equal((await answer.json()).error.where, "src");
    assert.equal(answer.headers.get("cache-control"), "no-store");
  });
}

test("a prefix without a path is the whole host and no other", async () => {
  const allow = ["https://shop.example.com"];
  assert.equal((await ask({ allow }, { src: ALLOWED, w: "640" })).status, 307);
  assert.equal((await ask({ allow }, { src: "https://shop.example.com.evil.example/a.jpg", w: "640" })).status, 403);
});

test("files and keys have the names that stand there", async () => {
  const allow = ["local:///", "s3://photos"];
  for (const src of ["local:///Tasse für Tee, 100%.png", "local:///a%20b.jpg", "s3://photos/a b?.jpg"]) {
    assert.equal(
      (await ask({ allow }, { src, w: "640" })).headers.get("location"),
      await signer.url(src, { width: 640 }),
    );
  }
});

test("a pattern decides alike each time", async () => {
  const handler = createImageHandler({ signer, allow: [/^https:\/\/shop/g, /^local:/y] });
  for (const src of [ALLOWED, ALLOWED, "local:///a.jpg", "local:///a.jpg"]) {
    const query = new URLSearchParams({ src, w: "640" });
    assert.equal((await handler(new Request(`https://site.example/img?${query}`))).status, 307, src);
  }
});

test("settings that are wrong are told when the handler is made", () => {
  const allow = ["https://shop.example.com/"];
  for (const wrong of ["shop.example.com/photos/", "https://*.example.com/", ""]) {
    assert.throws(() => createImageHandler({ signer, allow: [wrong] }), {
      name: "TypeError",
      message: /allow: expected/,
    });
  }
  for (const settings of [
    { options: { blur: -1 } },
    { widths: [0.5] },
    { widths: [] },
    { qualities: [101] },
    { height: 4 },
  ]) {
    for (const make of [createImageHandler, createPagesImageHandler]) {
      assert.throws(() => make({ signer, allow, ...settings }), { name: "OptionError" });
    }
  }
});

test("a redirect is kept no longer than what it leads to", async () => {
  const expires = Math.floor(Date.now() / 1000) + 60;
  const control = async (settings) => (await ask(settings, { src: ALLOWED, w: "640" })).headers.get("cache-control");
  const leftS = Number(/^public, max-age=(\d+)$/.exec(await control({ options: { exp: expires } }))[1]);
  assert.ok(leftS > 50 && leftS <= 60, String(leftS));
  assert.equal(await control({ options: { expires }, maxAgeS: 5 }), "public, max-age=5");
  assert.equal(await control({ options: { expires: 1 } }), "public, max-age=0");
});

test("patterns and functions decide as well", async () => {
  const src = "local:///mug.jpg";
  assert.equal((await ask({ allow: [/^local:/] }, { src, w: "640" })).status, 307);
  assert.equal((await ask({ allow: async (source) => source === src }, { src, w: "640" })).status, 307);
  assert.equal((await ask({ allow: () => false }, { src, w: "640" })).status, 403);
});

test("only the widths that are offered can be asked for", async () => {
  for (const w of ["641", "", "0640", "640.0", "1e3"]) {
    const answer = await ask({}, { src: ALLOWED, w });
    assert.equal(answer.status, 400, w);
    assert.equal((await answer.json()).error.where, "w");
  }
  assert.equal((await ask({}, { w: "640" })).status, 400);
});

test("the Pages Router has the same answers", async (context) => {
  const handler = createPagesImageHandler({ signer, allow: [/^local:/] });
  const server = createServer((request, response) => void handler(request, response)).listen(0, "127.0.0.1");
  context.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const get = (query) => fetch(`http://127.0.0.1:${server.address().port}/api/img?${query}`, { redirect: "manual" });
  const answer = await get("src=local:///mug.jpg&w=640");
  assert.deepEqual(
    [answer.status, answer.headers.get("location")],
    [307, await signer.url("local:///mug.jpg", { width: 640 })],
  );
  assert.equal((await get("src=x&w=640")).status, 403);
});
