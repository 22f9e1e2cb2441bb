import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { verifyWebhook } from "../dist/jobs.js";

const KEY = Buffer.from("a secret of the tests");
const SECRET = `whsec_${KEY.toString("base64")}`;
const BODY = JSON.stringify({
  type: "job.done",
  timestamp: "2026-01-31T12:00:00.000Z",
  data: { id: "ä", state: "done" },
});

function headersOf(body = BODY, { at = Math.floor(Date.now() / 1000), key = KEY } = {}) {
  const signature = createHmac("sha256", key).update(`msg_1.${at}.`).update(body).digest("base64");
  return { "webhook-id": "msg_1", "webhook-timestamp": String(at), "webhook-signature": `v1,${signature}` };
}

const read = (more = {}) => verifyWebhook({ body: BODY, headers: headersOf(), secret: SECRET, ...more });

test("what the server sends is read, in whatever form it comes", async () => {
  const names = Object.entries(headersOf()).map(([name, value]) => [name.toUpperCase(), value]);
  for (const more of [
    {},
    { body: new TextEncoder().encode(BODY) },
    { body: Buffer.from(BODY) },
    { body: new TextEncoder().encode(BODY).buffer },
    { headers: new Headers(headersOf()) },
    { headers: Object.fromEntries(names) },
    { headers: { ...headersOf(), "webhook-signature": `v1a,xx v1,!! ${headersOf()["webhook-signature"]}` } },
    { secret: "any text", headers: headersOf(BODY, { key: "any text" }) },
  ]) {
    const end = await read(more);
    assert.deepEqual([end.id, end.type, end.data.id], ["msg_1", "job.done", "ä"]);
  }
});

test("what others send is refused", async () => {
  const { "webhook-id": _, ...nameless } = headersOf();
  for (const more of [
    { secret: "whsec_AAAA" },
    { body: `${BODY} ` },
    { headers: nameless },
    { headers: { ...headersOf(), "webhook-id": "msg_2" } },
    { headers: { ...headersOf(), "webhook-signature": "" } },
    { headers: { ...headersOf(), "webhook-signature": headersOf()["webhook-signature"].replace("v1,", "v2,") } },
  ]) {
    await assert.rejects(read(more), { name: "ImgserveError", code: "webhook_refused", status: 400 });
  }
});

test("old messages and those of the future are refused", async () => {
  for (const off of [-301, 301]) {
    const headers = headersOf(BODY, { at: Math.floor(Date.now() / 1000) + off });
    await assert.rejects(read({ headers }), /too old/);
    assert.ok(await read({ headers, toleranceS: 400 }));
  }
  await assert.rejects(read({ headers: headersOf(BODY, { at: "soon" }) }), /too old/);
});

test("a secret that is missing is told", async () => {
  for (const secret of [undefined, "", "whsec_", "whsec_ä"])
    await assert.rejects(read({ secret }), /IMGSERVE_WEBHOOK_SECRET/);
});
