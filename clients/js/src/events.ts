// Server-sent events of a stream: each as its name and data.

export interface ServerEvent {
  /** `message` where the server names none. */
  event: string;
  data: string;
}

/** Read a body's events; `onRetry` hears how long to wait before another stream, `onBytes` of each sign of life. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { onRetry, onBytes }: { onRetry?: (ms: number) => void; onBytes?: () => void } = {},
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      onBytes?.();
      const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const { event, data, retryMs } = parse(block);
        if (retryMs !== undefined) onRetry?.(retryMs);
        if (data !== undefined) yield { event, data };
      }
    }
  } finally {
    // Whoever stops listening closes the connection.
    await reader.cancel().catch(() => undefined);
  }
}

function parse(block: string): { event: string; data: string | undefined; retryMs: number | undefined } {
  let event = "message";
  let retryMs: number | undefined;
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value = ""] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "event") event = value;
    if (name === "data") data.push(value);
    if (name === "retry" && /^\d+$/.test(value)) retryMs = Number(value);
  }
  return { event, data: data.length ? data.join("\n") : undefined, retryMs };
}
