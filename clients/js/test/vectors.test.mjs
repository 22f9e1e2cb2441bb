// What every signer of this project writes and refuses alike: tests/vectors/urls.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { createSigner, OptionError } from "../dist/index.js";

const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/urls.json", import.meta.url), "utf8"));

const signerOf = ({ key = vectors.key, salt = vectors.salt, separator, signature_size: signatureSize }) =>
  createSigner({
    key,
    salt,
    baseUrl: vectors.base_url,
    ...(separator && { separator }),
    ...(signatureSize && { signatureSize }),
  });

for (const one of vectors.cases) {
  test(`writes ${one.name}`, async () => {
    const { source, options, presets, choose, base64 } = one;
    assert.equal(await signerOf(one).url(source, options, { presets, choose, base64 }), one.url);
    assert.equal(await signerOf(one).signed(one.path), one.url);
  });
}

for (const { name, options, choose, where, expected } of vectors.errors) {
  test(`refuses ${name}`, async () => {
    await assert.rejects(signerOf({}).url("mug.jpg", options, { choose }), (wrong) => {
      assert.ok(wrong instanceof OptionError, String(wrong));
      assert.equal(wrong.where, where);
      if (expected) assert.ok(wrong.expected.startsWith(expected), wrong.expected);
      assert.ok(wrong.message.includes(wrong.expected) && wrong.message.includes(wrong.got));
      return true;
    });
  });
}
