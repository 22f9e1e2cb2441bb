// What is published: generated files that are current, a tarball with every entry point, types that compile.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { codeBlocks } from "./documentation.mjs";
import { install, run } from "./installed.mjs";

const CONSUMER = `
import { createSigner, definePresets, imageProps, type Options, srcset, token } from "imgserve";
import { createClient, type Job, verifyWebhook } from "imgserve/jobs";
import loader from "imgserve/loader";
import { createImageHandler } from "imgserve/next";
import { SignedImage } from "imgserve/react";

const signer = createSigner<"card" | "hero">({ key: process.env.KEY, salt: process.env.SALT });
export const url: Promise<string> = signer.url("a", { resizingType: "fill", gravity: "fp:0.5:0.3" }, { presets: ["card"] });
// @ts-expect-error a preset that the server does not have
void signer.url("a", {}, { presets: ["grid"] });
// @ts-expect-error a preset that the server does not have
void token(signer, "a", { presets: ["grid"] });
// @ts-expect-error a name that is none
void signer.url("a", { widht: 3 });
// @ts-expect-error a word that is none
const wrong: Options = { resizingType: "squeeze" };
// @ts-expect-error smart takes no table of another type
const wrongToo: Options = { gravity: { type: "smart" } };
const looks = definePresets({ card: { width: 300, watermark: { opacity: 0.5, position: "soea" } } });
export const all = [wrong, wrongToo, looks.card.width.toFixed(), { rt: "fill", min_width: 3, "min-width": 3 } satisfies Options];
export const shipped = createSigner({ key: "", salt: "" }).url("a", {}, { presets: ["grid", "my-own"] });
export const set: Promise<string> = srcset(signer, "a", { widths: [640], presets: ["hero"] });
export const props = async () => {
  const { src, srcSet, alt, blurDataURL } = await imageProps(signer, "a", { width: 3, alt: "x" });
  return [src, srcSet, alt.length, blurDataURL];
};
export const one = <SignedImage signer={signer} src="a" width={3} height={2} alt="" presets={["card"]} sizes="50vw" />;
// @ts-expect-error functions cannot cross from a server component
export const two = <SignedImage signer={signer} src="a" alt="" onLoad={() => undefined} />;
export const GET: (request: Request) => Promise<Response> = createImageHandler({ signer, allow: ["https://a/"] });
export const picked: string = loader({ src: "a", width: 3 });
export const ended: Promise<Job> = createClient({ baseUrl: "", apiKey: "k" }).wait("a", { onProgress: (job) => job.progress });
export const told: Promise<string> = verifyWebhook({ body: "", headers: new Headers(), secret: "s" }).then((end) => end.type);
declare const process: { env: Record<string, string | undefined> };
`;

let project;
before(() => (project = install()));
after(() => project.remove());

test("what is generated is current", () => {
  run("node", ["scripts/generate.mjs", "--check"]);
});

test("the tarball has the built files and nothing else", () => {
  const files = run("find", ["node_modules/imgserve", "-type", "f"], { cwd: project.folder }).trim().split("\n");
  const others = files.filter((file) => !/imgserve\/(dist\/.*\.(js|d\.ts)|package\.json|README\.md)$/.test(file));
  assert.deepEqual(others, []);
  assert.ok(files.length > 20);
});

test("every entry point is imported by Node.js itself", () => {
  const names = ["", "/loader", "/next", "/react", "/jobs"];
  const lines = names.map((name) => `console.log(Object.keys(await import("imgserve${name}")).length > 0);`);
  project.write("use.mjs", lines.join("\n"));
  assert.equal(project.node("use.mjs"), "true\n".repeat(names.length));
});

for (const [where, lacking] of [
  ["in Node.js 18, where WebCrypto is not global", ["crypto"]],
  ["in an edge runtime, where there is no process", ["process"]],
  ["in an edge runtime of Next.js, whose process throws", ["modules"]],
  ["in Node.js itself", []],
]) {
  test(`a signer works ${where}`, () => {
    const gone = lacking.map((name) => `Object.defineProperty(globalThis, "${name}", { value: undefined });`);
    const throwing = "process.getBuiltinModule = () => { throw new Error(); };";
    const older = { crypto: "process.getBuiltinModule = undefined;", modules: throwing }[lacking[0]] ?? "";
    project.write(
      "sign.mjs",
      `${older} ${gone.join("")}
       const { createSigner } = await import("imgserve");
       console.log(await createSigner({ key: "943b421c", salt: "520f986b" }).signed("/a"));`,
    );
    assert.equal(project.node("sign.mjs"), "/YBv-v5I5OFHejAwK4vn6waa7A5i3nTrfR8Zj7u4yh2w/a\n");
  });
}

for (const resolution of ["bundler", "nodenext"]) {
  test(`types compile with moduleResolution ${resolution}`, () => {
    project.write("use.tsx", CONSUMER);
    project.compile(resolution, ["use.tsx"]);
  });
}

test("types of the documentation's code compile", () => {
  const blocks = codeBlocks().filter(({ name }) => !name.endsWith(".mjs"));
  assert.ok(blocks.length > 8);
  assert.equal(new Set(blocks.map(({ name }) => name)).size, blocks.length);
  for (const { name, text } of blocks) project.write(name, text);
  // As next-env.d.ts of an app has it: pictures are modules.
  project.write("next-env.d.ts", '/// <reference types="next/image-types/global" />\n');
  project.write("node.d.ts", "declare const process: { env: Record<string, string | undefined> };");
  project.compile("bundler", ["next-env.d.ts", "node.d.ts", ...blocks.map(({ name }) => name)]);
});
