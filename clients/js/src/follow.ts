// A job followed until it has ended: its events as long as they come, and asking now and then where they do not.
import { ImgserveError } from "./errors.js";
import { readEvents } from "./events.js";
import { hasEnded, type Job } from "./job.js";

export interface WaitSettings {
  /** Called with the job as it is, and at each change. */
  onProgress?: (job: Job) => void;
  /** Stops waiting (not the job); `AbortSignal.timeout(60_000)` waits a minute. */
  signal?: AbortSignal;
}

export interface Line {
  /** Ask for the stream of events. */
  open(signal: AbortSignal): Promise<Response>;
  /** Ask for the job itself. */
  look(signal: AbortSignal): Promise<Job>;
}

/** The server sends a sign of life every five seconds: a stream that is silent for so long is dead. */
const SILENCE_MS = 20_000;
/** Before a stream is asked for again, where the server does not say. */
const PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 30_000;
/** Troubles in a row, with their pauses over a minute: longer than a server takes to start anew. */
const MAX_TROUBLES = 6;

/** Give a job when it has ended, well or not; throws what the server refuses, and the signal's reason. */
export async function follow(line: Line, { onProgress, signal }: WaitSettings): Promise<Job> {
  let pauseMs = PAUSE_MS;
  let seen = "";
  const tell = (job: Job) => {
    const text = JSON.stringify(job);
    if (text !== seen) onProgress?.(job);
    seen = text;
  };
  for (let troubles = 0; ; troubles += 1) {
    signal?.throwIfAborted();
    let trouble: unknown;
    const tellOn = (job: Job) => {
      // News are the end of a row of troubles.
      troubles = 0;
      tell(job);
    };
    try {
      const ended = await stream(line, { signal, tell: tellOn, onRetry: (ms) => (pauseMs = ms) });
      if (ended) return ended;
    } catch (wrong) {
      trouble = wrong;
    }
    signal?.throwIfAborted();
    if (trouble !== undefined && !isPassing(trouble)) throw trouble;
    const looked = await look(line, signal);
    if (looked) tell(looked);
    if (looked && hasEnded(looked)) return looked;
    if (!looked && troubles >= MAX_TROUBLES) throw trouble ?? new Error("The events of the job ended before the job.");
    const told = trouble instanceof ImgserveError && trouble.retryAfterS !== undefined ? trouble.retryAfterS * 1000 : 0;
    await pause(Math.max(told, Math.min(pauseMs * 2 ** troubles, LONGEST_PAUSE_MS)), signal);
  }
}

interface Stream {
  signal: AbortSignal | undefined;
  tell: (job: Job) => void;
  onRetry: (ms: number) => void;
}

/** Read one stream; gives the job where it has ended, undefined where the stream was cut. */
async function stream(line: Line, { signal, tell, onRetry }: Stream): Promise<Job | undefined> {
  const own = new AbortController();
  const stop = () => own.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  let timer = setTimeout(() => own.abort(), SILENCE_MS);
  const onBytes = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(), SILENCE_MS);
  };
  try {
    const answer = await line.open(own.signal);
    if (!answer.body) return undefined;
    for await (const { event, data } of readEvents(answer.body, { onRetry, onBytes })) {
      const job = JSON.parse(data) as Job;
      tell(job);
      if (event === "end") return job;
    }
    return undefined;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Ask for the job itself; undefined where that is no better just now. */
async function look(line: Line, signal: AbortSignal | undefined): Promise<Job | undefined> {
  try {
    return await line.look(signal ?? new AbortController().signal);
  } catch (wrong) {
    signal?.throwIfAborted();
    if (!isPassing(wrong)) throw wrong;
    return undefined;
  }
}

/** Too many streams, a server that starts anew, a connection that was cut: all of them pass. */
function isPassing(wrong: unknown): boolean {
  return !(wrong instanceof ImgserveError) || wrong.status === 429 || wrong.status >= 500;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
