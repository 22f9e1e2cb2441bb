// What the API tells of jobs, in the API's own names.
import type { Options } from "./generated/options.js";

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  /** 64 hexadecimal digits: the key of what it makes. */
  id: string;
  state: JobState;
  /** What is being done, or will be first. */
  task: string;
  /** 0 to 1. */
  progress: number;
  attempts: number;
  max_attempts: number;
  priority: number;
  source: string;
  asks: { task: string; argument: string }[];
  owner?: string | null;
  worker?: string | null;
  /** Times are RFC 3339. */
  created_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  /** Where an attempt failed: the next is not before then. */
  due_at: string | null;
  error: { code: string; message: string } | null;
  facts: Record<string, string | number>;
  status_url: string;
  events_url: string;
  /** Signed path of the result, null where none is known. */
  url: string | null;
  before_url: string | null;
}

/** A job that was just ordered. */
export interface OrderedJob extends Job {
  /** Place of its order, from 0: a picture may need two jobs. */
  order: number;
  /** Whether the order's webhook will be told; null without one. */
  webhook_waits: boolean | null;
}

export interface JobPage {
  /** Youngest first. */
  jobs: Job[];
  /** What the next page comes `after`, null on the last one. */
  next: string | null;
  counts: Record<JobState, number>;
}

interface Ordered {
  /** -100 to 100, higher comes first. */
  priority?: number | undefined;
  /** An `https://` URL that is told when the job ends. */
  webhook?: string | undefined;
}

/** A picture whose AI steps are to be made: a source with options, or a signed URL. */
export type Order<Preset extends string = string> = Ordered &
  (
    | { source: string; options?: Options | undefined; presets?: readonly Preset[] | undefined; path?: never }
    | { path: string; source?: never; options?: never; presets?: never }
  );

/** What to forget. */
export type Purge =
  | { everything: true }
  | {
      source?: string | readonly string[];
      /** Sources that begin so. */
      prefix?: string | readonly string[];
      tag?: string | readonly string[];
      preset?: string | readonly string[];
    };

export interface Purged {
  /** How many entries are gone, by tier. */
  purged: Record<string, number>;
  /** Presets that the server does not have. */
  unknown?: string[];
}

const ENDS: readonly JobState[] = ["done", "failed", "cancelled"];

export const hasEnded = (job: Job): boolean => ENDS.includes(job.state);
