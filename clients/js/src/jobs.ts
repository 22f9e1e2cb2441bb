// The client of /v1: AI steps ordered ahead, followed, cancelled; results forgotten. For servers, as it has an API key.
import { ImgserveError } from "./errors.js";
import { follow, type WaitSettings } from "./follow.js";
import { OPTIONS } from "./generated/options-table.js";
import type { ShippedPreset } from "./generated/presets.js";
import type { Job, JobPage, JobState, Order, OrderedJob, Purge, Purged } from "./job.js";
import { segmentsOf } from "./path.js";
import { refuseBrowser } from "./server-only.js";

export { ImgserveError, OptionError } from "./errors.js";
export type { WaitSettings } from "./follow.js";
export type { Job, JobPage, JobState, Order, OrderedJob, Purge, Purged } from "./job.js";
export { type JobEnd, verifyWebhook, type WebhookMessage } from "./webhooks.js";

export interface ClientSettings {
  /** Where this program reaches the server. */
  baseUrl: string;
  /** From `imgserve keygen --api-key NAME`. */
  apiKey: string | undefined;
  /** What stands between arguments, as IMGSERVE_ARGUMENTS_SEPARATOR of the server. */
  separator?: string | undefined;
  /** What to ask with, in place of the global fetch. */
  fetch?: typeof fetch | undefined;
  /** For tests and tools: work in a browser after all, where everybody can read the key. */
  allowBrowser?: boolean | undefined;
}

export interface Client<Preset extends string = string> {
  /** Order the AI steps of a picture ahead, or of up to 100; gives a job for each artefact that they need. */
  submit(order: Order<Preset> | readonly Order<Preset>[]): Promise<OrderedJob[]>;
  get(id: string): Promise<Job>;
  /** Give a job when it has ended; look at its `state`: it may have failed. */
  wait(id: string, settings?: WaitSettings): Promise<Job>;
  /** Give a page of jobs, youngest first; `after` is the `next` of the page before. */
  list(query?: {
    state?: JobState | undefined;
    limit?: number | undefined;
    after?: string | undefined;
  }): Promise<JobPage>;
  /** Cancel a job that has not ended. */
  cancel(id: string): Promise<Job>;
  /** Begin a job that failed or was cancelled anew. */
  retry(id: string): Promise<Job>;
  /** Forget what is kept of sources, of sources that begin so, of tags, of presets, or everything. */
  purge(what: Purge): Promise<Purged>;
}

/** Make a client; its methods throw ImgserveError for what the server refuses, and what fetch throws. */
export function createClient<Preset extends string = ShippedPreset | (string & {})>(
  settings: ClientSettings,
): Client<Preset> {
  if (!settings.allowBrowser) refuseBrowser("createClient()", "let pages ask a route of yours");
  if (!settings.apiKey) {
    throw new TypeError(
      "apiKey is missing: is the environment variable set? `imgserve keygen --api-key NAME` makes one.",
    );
  }
  const ask = asking(settings);
  const json = async <Found>(...call: Parameters<typeof ask>) => (await (await ask(...call)).json()) as Found;
  return {
    async submit(order) {
      const each = (one: Order) => bodyOf(one, settings.separator);
      const body = Array.isArray(order) ? { jobs: (order as readonly Order[]).map(each) } : each(order as Order);
      return (await json<{ jobs: OrderedJob[] }>("/v1/jobs", { method: "POST", body })).jobs;
    },
    get: async (id) => json(pathOf(id)),
    async wait(id, waiting = {}) {
      const path = pathOf(id);
      return follow(
        { open: (signal) => ask(`${path}/events`, { signal }), look: (signal) => json(path, { signal }) },
        waiting,
      );
    },
    list: ({ state, limit, after } = {}) => {
      const given = Object.entries({ state, limit, after }).filter(([, value]) => value !== undefined);
      const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
      return json(`/v1/jobs?${query}`);
    },
    cancel: async (id) => json(pathOf(id), { method: "DELETE" }),
    retry: async (id) => json(`${pathOf(id)}/retry`, { method: "POST" }),
    purge: (what) => json("/v1/purge", { method: "POST", body: what }),
  };
}

/** An empty id, or `..`, would be another route. */
function pathOf(id: string): string {
  if (/^[A-Za-z0-9]+$/.test(id)) return `/v1/jobs/${id}`;
  throw new TypeError(`id: expected the 64 hexadecimal digits of a job, got '${id}'.`);
}

interface Request {
  method?: "GET" | "POST" | "DELETE";
  body?: object;
  signal?: AbortSignal;
}

function asking({ baseUrl, apiKey, fetch: own }: ClientSettings) {
  const root = baseUrl.replace(/\/+$/, "");
  return async (path: string, { method = "GET", body, signal }: Request = {}): Promise<Response> => {
    const answer = await (own ?? fetch)(root + path, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(body && { "content-type": "application/json" }) },
      // Frameworks that keep answers must not keep these.
      cache: "no-store",
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (!answer.ok) throw await ImgserveError.of(answer);
    return answer;
  };
}

function bodyOf(order: Order, separator: string | undefined): object {
  const { options, presets, ...rest } = order;
  if (order.path !== undefined) return rest;
  const segments = segmentsOf(OPTIONS, { options, separator });
  return { ...rest, ...(presets?.length && { presets }), ...(segments.length && { options: segments }) };
}
