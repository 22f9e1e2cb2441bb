// What the playground asks: URLs to be signed, what the server can do, and the pictures themselves.

import { ApiError, errorOf } from "./errors.js";

// A picture may wait for its AI steps as long as the operator wants.
const PATIENCE_MS = 60_000;

// Orders that were one too many are given again: so often, after so long at most.
const MOST_TRIES = 3;
const LONGEST_PAUSE_S = 60;
const TOO_MANY = 429;

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

  /** Have a URL signed; `waits` is told of the seconds until an order that was one too many is given again. */
  async sign(order, signal, waits = () => undefined) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.order(this.key ? "v1/sign" : "playground/sign", order, signal);
      } catch (error) {
        const { status, retryAfter } = error;
        if (status !== TOO_MANY || !retryAfter || retryAfter > LONGEST_PAUSE_S || tries === MOST_TRIES) throw error;
        waits(retryAfter);
        await pause(retryAfter * 1000, signal);
      }
    }
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
    provider: answer.headers.get("x-imgserve-provider") ?? "",
    retryMs: (Number(answer.headers.get("retry-after")) || 1) * 1000,
  };
}

/** Wait, or leave off with a signal. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
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
