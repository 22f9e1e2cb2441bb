// What the console asks the server: JSON with a key, and the events of a job.

import { ApiError, errorOf } from "./errors.js";

// Behind it, an answer is not waited for any more.
const PATIENCE_MS = 15_000;

export class Api {
  constructor(key) {
    this.authorization = `Bearer ${key}`;
    // What the server's clock is ahead of ours: ages are told in the server's time.
    this.ahead = 0;
    // Between two polls, so that they use half of what the key may ask at most.
    this.pace = 0;
  }

  now() {
    return Date.now() + this.ahead;
  }

  capabilities(signal) {
    return this.ask("capabilities", { signal });
  }

  jobs({ state, limit, after }, signal) {
    const query = new URLSearchParams({ limit });
    if (state) query.set("state", state);
    if (after) query.set("after", after);
    return this.ask(`jobs?${query}`, { signal });
  }

  job(id, signal) {
    return this.ask(`jobs/${encodeURIComponent(id)}`, { signal });
  }

  cancel(id) {
    return this.ask(`jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  retry(id) {
    return this.ask(`jobs/${encodeURIComponent(id)}/retry`, { method: "POST" });
  }

  order(body) {
    return this.ask("jobs", { method: "POST", body: JSON.stringify(body) });
  }

  async ask(path, { method = "GET", body, signal } = {}) {
    const signals = [AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])];
    const answer = await this.send(path, { method, body, signal: AbortSignal.any(signals) }, signal);
    try {
      return await answer.json();
    } catch (broken) {
      if (signal?.aborted) throw broken;
      throw new ApiError("The server's answer was cut short.");
    }
  }

  /** Follow a job; gives when the stream has ended, whatever ended it. */
  async follow(id, changed, signal) {
    const answer = await this.send(`jobs/${encodeURIComponent(id)}/events`, { signal }, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data: "));
        if (data) changed(JSON.parse(data.slice("data: ".length)));
      }
    }
  }

  async send(path, options, signal) {
    const headers = { authorization: this.authorization, accept: "application/json" };
    if (options.body) headers["content-type"] = "application/json";
    let answer;
    try {
      // Relative to the page, which may lie below a path prefix.
      answer = await fetch(`v1/${path}`, { ...options, headers, cache: "no-store", credentials: "same-origin" });
    } catch (broken) {
      if (signal?.aborted) throw broken;
      throw new ApiError("The server does not answer.");
    }
    this.read(answer.headers);
    if (!answer.ok) throw await errorOf(answer);
    return answer;
  }

  read(headers) {
    const date = Date.parse(headers.get("date") ?? "");
    // Its seconds are cut off, so smaller differences mean nothing.
    if (date && Math.abs(date - Date.now()) > 2000) this.ahead = date - Date.now();
    const left = headers.get("x-ratelimit-remaining");
    const reset = Number(headers.get("x-ratelimit-reset"));
    if (left !== null) this.pace = (2000 * reset) / Math.max(1, Number(left));
  }
}
