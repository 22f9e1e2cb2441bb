// Jobs and webhooks of a real server with its worker, which tests/clients/test_js_client.py starts.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { createSigner } from "../../dist/index.js";
import { createClient, verifyWebhook } from "../../dist/jobs.js";

const { IMGSERVE_TEST_URL: baseUrl, IMGSERVE_TEST_KEY: key, IMGSERVE_TEST_SALT: salt } = process.env;
const { IMGSERVE_TEST_API_KEY: apiKey, IMGSERVE_TEST_SECRET: secret } = process.env;
const client = createClient({ baseUrl, apiKey });
const signer = createSigner({ key, salt, baseUrl });
const patience = () => AbortSignal.timeout(60_000);

/** Listen for one message. */
async function receiver(context) {
  let heard;
  const message = new Promise((resolve) => (heard = resolve));
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      response.writeHead(204).end();
      heard({ body: Buffer.concat(parts), headers: request.headers });
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  context.after(() => (server.closeAllConnections(), server.close()));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, message };
}

test("a job is ordered, followed to its end, and told of by a webhook", { timeout: 90_000 }, async (context) => {
  const hook = await receiver(context);
  const order = { source: "local:///disc.png", options: { removeBackground: true, width: 100 }, webhook: hook.url };
  const [ordered] = await client.submit(order);
  assert.deepEqual([ordered.source, ordered.order, ordered.webhook_waits], [order.source, 0, true]);
  const seen = [];
  const done = await client.wait(ordered.id, { onProgress: (job) => seen.push(job.state), signal: patience() });
  assert.deepEqual([done.state, done.progress, done.error], ["done", 1, null]);
  assert.equal(seen.at(-1), "done");
  assert.equal((await fetch(baseUrl + done.url)).status, 200);

  const end = await verifyWebhook({ ...(await hook.message), secret });
  assert.deepEqual([end.type, end.data.id], ["job.done", ordered.id]);
  assert.equal((await client.get(ordered.id)).state, "done");
  assert.equal((await client.wait(ordered.id)).state, "done");
  assert.ok((await client.list({ state: "done", limit: 1 })).counts.done >= 1);
  await assert.rejects(client.cancel(ordered.id), {
    name: "ImgserveError",
    code: "job_ended",
    status: 409,
    where: "state",
  });
  assert.equal((await client.retry(ordered.id)).state, "done");
});

test("a signed URL can be ordered", { timeout: 90_000 }, async () => {
  const path = await signer.url("local:///disc.png", { removeBackground: true });
  const [ordered] = await client.submit({ path });
  assert.equal((await client.wait(ordered.id, { signal: patience() })).state, "done");
});

test("what is wrong with one of many orders is told with its place", async () => {
  const good = { source: "local:///disc.png", options: { removeBackground: true } };
  const wrong = { source: "local:///disc.png", options: { width: 10 } };
  await assert.rejects(client.submit([good, wrong]), { name: "ImgserveError", status: 400, where: "jobs[1].options" });
});

test("a job that nobody ordered is not waited for", async () => {
  await assert.rejects(client.wait("0".repeat(64)), { status: 404, code: "not_found" });
});

test("what is kept of a source is forgotten", async () => {
  await fetch(await signer.url("local:///wide.png", { width: 33 }));
  assert.equal(typeof (await client.purge({ source: "local:///wide.png" })).purged, "object");
  assert.deepEqual((await client.purge({ preset: "no-such" })).unknown, ["no-such"]);
});

test("another key is refused", async () => {
  const other = createClient({ baseUrl, apiKey: "wrong" });
  await assert.rejects(other.list(), (error) => error.name === "ImgserveError" && error.status === 403);
});
