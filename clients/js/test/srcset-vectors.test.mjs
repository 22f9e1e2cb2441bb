// What responsive pictures are in Python and in JavaScript alike: tests/vectors/srcset.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { createSigner, imageProps, srcset, token } from "../dist/index.js";

const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/srcset.json", import.meta.url), "utf8"));
const signer = createSigner({ key: vectors.key, salt: vectors.salt, baseUrl: vectors.base_url });
const functions = { token, srcset, image_props: imageProps };

for (const { name, function: called, source, options, arguments: given, result } of vectors.cases) {
  test(`${called}: ${name}`, async () => {
    const found = await functions[called](signer, source, { options, ...given });
    if (typeof found === "string") return assert.equal(found, result);
    const { srcSet, ...rest } = found;
    assert.deepEqual({ ...rest, srcset: srcSet }, "srcSet" in result ? { ...result, srcset: result.srcSet } : result);
  });
}
