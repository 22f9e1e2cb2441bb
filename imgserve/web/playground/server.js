// What the playground asks: URLs to be signed, what the server can do, and the pictures themselves.

import { ApiError, errorOf } from "./errors.js";

// A picture may wait for its AI steps as long as the operator wants.
const PATIENCE_MS = 60_000;

const lost = (broken, signal) => (signal?.aborted ? broken : new ApiError("The server does not answer."));

export async function catalog() {
  return (await ask("playground/catalog.json", {})).json();
}

export class Server {
  /** Without a key it is the server's own page in development that asks. */
  constructor(key) {
    this.key = key;
  }

  async room() {
    return this.key ? (await this.send("GET", "v1/capabilities")).json() : this.order("playground/room", {});
  }

  sign(order, signal) {
    return this.order(this.key ? "v1/sign" : "playground/sign", order, signal);
  }

  async order(path, body, signal) {
    return (await this.send("POST", path, JSON.stringify(body), signal)).json();
  }

  send(method, path, body, signal) {
    const headers = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    return ask(path, { method, headers, body, cache: "no-store" }, signal);
  }
}

/** Fetch a picture as a browser of this kind would; gives it with what its headers and its time tell. */
export async function picture(url, accept, signal) {
  const address = new URL(url, document.baseURI).href;
  performance.clearResourceTimings();
  const began = performance.now();
  // What is wrong is to be told with its facts.
  const headers = { accept: `${accept},application/json;q=0.1` };
  const answer = await ask(address, { headers, cache: "no-store" }, signal);
  const blob = await answer.blob().catch((broken) => {
    throw lost(broken, signal);
  });
  const totalMs = performance.now() - began;
  const timing = performance.getEntriesByName(address).at(-1);
  return {
    blob,
    totalMs,
    serverMs: timing?.requestStart ? timing.responseStart - timing.requestStart : totalMs,
    format: (answer.headers.get("content-type") ?? "").replace(/^image\//, "").replace(/\+xml$/, ""),
    cache: answer.headers.get("x-imgserve-cache") ?? "",
    pending: answer.status === 202 ? (answer.headers.get("x-imgserve-pending") ?? "") : "",
    degraded: answer.headers.get("x-imgserve-degraded") ?? "",
    fallback: answer.headers.get("x-imgserve-fallback") ?? "",
    retryMs: (Number(answer.headers.get("retry-after")) || 1) * 1000,
  };
}

async function ask(path, options, signal) {
  const signals = [AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])];
  let answer;
  try {
    // Relative to the page, which may lie below a path prefix.
    answer = await fetch(path, { ...options, credentials: "same-origin", signal: AbortSignal.any(signals) });
  } catch (broken) {
    throw lost(broken, signal);
  }
  if (!answer.ok) throw await errorOf(answer);
  return answer;
}
