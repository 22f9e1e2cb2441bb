// A job followed until it has ended: its events as long as they come, and asking now and then where they do not.
import { ImgserveError } from "./errors.js";
import { readEvents } from "./events.js";
import { hasEnded, type Job } from "./job.js";

export interface WaitSettings {
  /** Called with the job as it is, and at each change. */
  onProgress?: ((job: Job) => void) | undefined;
  /** Stops waiting (not the job); `AbortSignal.timeout(60_000)` waits a minute. */
  signal?: AbortSignal | undefined;
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
export async function follow(
  line: Line,
  { onProgress, signal }: WaitSettings,
  { silenceMs = SILENCE_MS }: { silenceMs?: number } = {},
): Promise<Job> {
  let pauseMs = PAUSE_MS;
  const teller = telling(onProgress);
  for (let troubles = 0; ; troubles += 1) {
    signal?.throwIfAborted();
    let trouble: unknown;
    const tell = (job: Job) => {
      // News are the end of a row of troubles.
      troubles = 0;
      teller.tell(job);
    };
    try {
      const onRetry = (ms: number) => (pauseMs = ms);
      const ended = await stream(line, { quiet: quietness(signal, silenceMs), tell, onRetry });
      if (ended) return ended;
    } catch (wrong) {
      if (teller.isCalling) throw wrong;
      trouble = wrong;
    }
    signal?.throwIfAborted();
    if (trouble !== undefined && !isPassing(trouble)) throw trouble;
    const looked = await look(line, { quiet: quietness(signal, silenceMs), signal });
    if (looked) teller.tell(looked);
    if (looked && hasEnded(looked)) return looked;
    if (!looked && troubles >= MAX_TROUBLES) throw trouble ?? new Error("The events of the job ended before the job.");
    const told = trouble instanceof ImgserveError && trouble.retryAfterS !== undefined ? trouble.retryAfterS * 1000 : 0;
    await pause(Math.max(told, Math.min(pauseMs * 2 ** troubles, LONGEST_PAUSE_MS)), signal);
  }
}

/** Call `onProgress` with what is news. `isCalling` stays true where it threw: that is no trouble of the connection. */
function telling(onProgress: WaitSettings["onProgress"]) {
  let seen = "";
  const teller = {
    isCalling: false,
    tell(job: Job) {
      const text = JSON.stringify(job);
      if (text === seen) return;
      seen = text;
      teller.isCalling = true;
      onProgress?.(job);
      teller.isCalling = false;
    },
  };
  return teller;
}

interface Quietness {
  /** Aborted with the caller's, and after a silence. */
  readonly signal: AbortSignal;
  onBytes(): void;
  end(): void;
}

/** Bound how long a server may say nothing. */
function quietness(signal: AbortSignal | undefined, silenceMs: number): Quietness {
  const own = new AbortController();
  const begin = () =>
    setTimeout(() => own.abort(new Error(`The server said nothing for ${silenceMs / 1000} seconds.`)), silenceMs);
  const stop = () => own.abort(signal?.reason);
  let timer = begin();
  signal?.addEventListener("abort", stop, { once: true });
  return {
    signal: own.signal,
    onBytes() {
      clearTimeout(timer);
      timer = begin();
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    },
  };
}

interface Stream {
  quiet: Quietness;
  tell: (job: Job) => void;
  onRetry: (ms: number) => void;
}

/** Read one stream; gives the job where it has ended, undefined where the stream was cut. */
async function stream(line: Line, { quiet, tell, onRetry }: Stream): Promise<Job | undefined> {
  try {
    const answer = await line.open(quiet.signal);
    if (!answer.body) return undefined;
    for await (const { event, data } of readEvents(answer.body, { onRetry, onBytes: quiet.onBytes })) {
      const job = JSON.parse(data) as Job;
      tell(job);
      if (event === "end") return job;
    }
    return undefined;
  } finally {
    quiet.end();
  }
}

interface Look {
  quiet: Quietness;
  signal: AbortSignal | undefined;
}

/** Ask for the job itself; undefined where that is no better just now. */
async function look(line: Line, { quiet, signal }: Look): Promise<Job | undefined> {
  try {
    return await line.look(quiet.signal);
  } catch (wrong) {
    signal?.throwIfAborted();
    if (!isPassing(wrong)) throw wrong;
    return undefined;
  } finally {
    quiet.end();
  }
}

/** Too many streams, a server that starts anew, a connection that was cut: all of them pass. */
function isPassing(wrong: unknown): boolean {
  return !(wrong instanceof ImgserveError) || wrong.status === 429 || wrong.status >= 500;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    // An `onProgress` that aborts does so before this listens.
    signal?.throwIfAborted();
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
