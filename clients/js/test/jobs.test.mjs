// The client against HTTP servers that misbehave as real ones do; tests/clients has it against the server itself.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { readEvents } from "../dist/events.js";
import { follow } from "../dist/follow.js";
import { createClient, ImgserveError } from "../dist/jobs.js";

const JOB = { id: "a".repeat(64), state: "running", progress: 0.5 };
const DONE = { ...JOB, state: "done", progress: 1 };
const event = (name, job) => `event: ${name}\nid: 1\ndata: ${JSON.stringify(job)}\n\n`;

/** Serve each request by the next of these; the last one goes on. */
async function serving(context, ...handlers) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request);
    (handlers.length > 1 ? handlers.shift() : handlers[0])(request, response);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  context.after(() => (server.closeAllConnections(), server.close()));
  return { client: createClient({ baseUrl: `http://127.0.0.1:${server.address().port}/`, apiKey: "k" }), seen };
}

const json =
  (status, body, headers = {}) =>
  (_, response) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const stream =
  (...parts) =>
  async (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const part of parts) {
      response.write(part);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    response.end();
  };

test("a job is followed to its end, and told of where it changed", async (context) => {
  const whole = `retry: 1\n\n${event("job", JOB)}: working\n\n${event("job", JOB)}${event("end", DONE)}`;
  // Events come in pieces that are cut anywhere.
  const { client, seen } = await serving(context, stream(...whole.match(/[^]{1,7}/g)));
  const told = [];
  assert.deepEqual(await client.wait(JOB.id, { onProgress: (job) => told.push(job.progress) }), DONE);
  assert.deepEqual(told, [0.5, 1]);
  assert.equal(seen[0].headers.authorization, "Bearer k");
  assert.equal(seen[0].url, `/v1/jobs/${JOB.id}/events`);
});

test("a stream that is cut is asked for again, as soon as the server says", async (context) => {
  const cut = stream("retry: 1\n\n", event("job", JOB));
  const { client, seen } = await serving(context, cut, json(200, JOB), stream(event("end", DONE)));
  assert.equal((await client.wait(JOB.id)).state, "done");
  assert.deepEqual(
    seen.map((request) => request.url.endsWith("/events")),
    [true, false, true],
  );
});

test("without a place for another stream the job itself is asked for", async (context) => {
  const full = json(429, { error: { code: "rate_limited", message: "full" } }, { "retry-after": "0" });
  const { client, seen } = await serving(context, full, json(200, DONE));
  assert.deepEqual(await client.wait(JOB.id), DONE);
  assert.equal(seen.length, 2);
});

test("a job that is not there is an error at once", async (context) => {
  const { client, seen } = await serving(
    context,
    json(404, { error: { code: "not_found", message: "no", where: "id", request_id: "r1" } }),
  );
  await assert.rejects(client.wait(JOB.id), (wrong) => {
    assert.ok(wrong instanceof ImgserveError);
    assert.deepEqual([wrong.code, wrong.status, wrong.where, wrong.requestId], ["not_found", 404, "id", "r1"]);
    return true;
  });
  assert.equal(seen.length, 1);
});

test("whoever waits can stop", async (context) => {
  const { client } = await serving(context, (_, response) => response.writeHead(200).write(event("job", JOB)));
  await assert.rejects(client.wait(JOB.id, { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
});

test("whoever is told can stop, and at once", async (context) => {
  const full = json(429, { error: { code: "rate_limited", message: "full" } }, { "retry-after": "9" });
  const { client } = await serving(context, full, json(200, JOB));
  const stop = new AbortController();
  const begun = performance.now();
  await assert.rejects(client.wait(JOB.id, { signal: stop.signal, onProgress: () => stop.abort() }), {
    name: "AbortError",
  });
  assert.ok(performance.now() - begun < 1000);
});

test("what onProgress throws is no trouble of the connection", async (context) => {
  const { client, seen } = await serving(context, stream("retry: 1\n\n", event("job", JOB)));
  const onProgress = () => {
    throw new RangeError("of the caller");
  };
  await assert.rejects(client.wait(JOB.id, { onProgress }), { name: "RangeError" });
  assert.equal(seen.length, 1);
});

test("a server that never answers is not waited for", async () => {
  const silent = (signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  let looks = 0;
  const look = async (signal) => ((looks += 1) < 2 ? silent(signal) : DONE);
  // Without a pause: the stream has said how long it is, and no more.
  const open = (signal) =>
    Promise.resolve(new Response(new ReadableStream({ start: (body) => void begin(body, signal) })));
  const begin = (body, signal) => {
    body.enqueue(new TextEncoder().encode("retry: 1\n\n"));
    signal.addEventListener("abort", () => body.error(signal.reason), { once: true });
  };
  assert.deepEqual(await follow({ open, look }, {}, { silenceMs: 20 }), DONE);
  assert.equal(looks, 2);
});

test("an id that would be another route is refused", async () => {
  const client = createClient({ baseUrl: "http://127.0.0.1:1", apiKey: "k" });
  for (const id of ["", "..", "a/b", "a?b"]) {
    for (const method of ["get", "wait", "cancel", "retry"]) {
      await assert.rejects(client[method](id), { name: "TypeError", message: /^id: expected/ });
    }
  }
});

test("events are read in whatever form they come", async () => {
  const read = async (text) => {
    const bytes = [...new TextEncoder().encode(text)];
    // Cut inside of characters, and between the two that end a line.
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    const found = [];
    for await (const { event: name, data } of readEvents(body)) found.push([name, data]);
    return found;
  };
  assert.deepEqual(await read("\ufeffevent: job\r\nid: 1\r\ndata: ä€😀\r\n\r\n"), [["job", "ä€😀"]]);
  assert.deepEqual(await read(": working\n\ndata: a\ndata:b\ndata\n\n"), [["message", "a\nb\n"]]);
  assert.deepEqual(await read("data: a\u2028b\n\ndata: cut"), [["message", "a\u2028b"]]);
});

test("orders are written with options as URLs have them", async (context) => {
  const { client, seen } = await serving(context, (request, response) => {
    let body = "";
    request
      .on("data", (part) => (body += part))
      .on("end", () => json(202, { jobs: [{ ...JOB, body }] })(request, response));
  });
  const sent = async (order) => JSON.parse((await client.submit(order))[0].body);
  const order = {
    source: "local:///a.png",
    options: { removeBackground: true, width: 300 },
    presets: ["grid"],
    priority: 5,
  };
  const written = {
    source: "local:///a.png",
    options: ["remove_background:1", "width:300"],
    presets: ["grid"],
    priority: 5,
  };
  assert.deepEqual(await sent(order), written);
  assert.deepEqual(await sent([order, { path: "/sig/rmbg:1/plain/a" }]), {
    jobs: [written, { path: "/sig/rmbg:1/plain/a" }],
  });
  await assert.rejects(client.submit({ source: "a", options: { width: -1 } }), { name: "OptionError", where: "width" });
  assert.equal(seen[0].headers["content-type"], "application/json");
});

test("lists, cancels, retries and purges are asked for where the API has them", async (context) => {
  const { client, seen } = await serving(context, json(200, {}));
  await client.list({ state: "failed", limit: 5, after: "x&y" });
  await client.cancel(JOB.id);
  await client.retry(JOB.id);
  await client.purge({ prefix: "https://shop.example.com/" });
  assert.deepEqual(
    seen.map((request) => `${request.method} ${request.url}`),
    [
      "GET /v1/jobs?state=failed&limit=5&after=x%26y",
      `DELETE /v1/jobs/${JOB.id}`,
      `POST /v1/jobs/${JOB.id}/retry`,
      "POST /v1/purge",
    ],
  );
});

test("an answer that is not the server's is an error all the same", async (context) => {
  const { client } = await serving(context, (_, response) => response.writeHead(502).end("<html>bad gateway"));
  await assert.rejects(client.get(JOB.id), { name: "ImgserveError", status: 502, code: "unknown" });
});

test("without a key there is no client", () => {
  assert.throws(() => createClient({ baseUrl: "http://x", apiKey: undefined }), /environment variable/);
});
