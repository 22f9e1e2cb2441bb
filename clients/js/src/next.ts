// A route that signs: `GET /img?src=…&w=640&q=75` is redirected to the signed URL, for pages that cannot make tokens.
import { type Allow, type Judge, judgeOf } from "./allow.js";
import { OptionError } from "./errors.js";
import { OPTIONS } from "./generated/options-table.js";
import type { Options } from "./generated/options.js";
import { settingsOf } from "./options.js";
import type { Signer } from "./signer.js";
import { DEFAULT_WIDTHS, type Sizing, stepsOf } from "./widths.js";

export type { Allow, SourcePattern } from "./allow.js";

export interface ImageHandlerSettings<Preset extends string = string> extends Omit<Sizing, "widths"> {
  signer: Signer<Preset>;
  /** Which sources anybody may have pictures made of. */
  allow: Allow;
  /** Widths that may be asked for; by default all that next/image asks for. */
  widths?: readonly number[] | undefined;
  /** Qualities that may be asked for; others, and none, are answered with the nearest or the server's own. */
  qualities?: readonly number[] | undefined;
  options?: Options | undefined;
  presets?: readonly Preset[] | undefined;
  /** Seconds for which browsers and CDNs keep the redirect; never longer than the option `expires` lets them. */
  maxAgeS?: number | undefined;
}

const AN_HOUR_S = 3600;

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

type Route = (query: URLSearchParams) => Promise<Answer>;

/**
 * Make a route handler of the App Router: `export const GET = createImageHandler({ signer, allow: ["https://…/"] })`.
 *
 * It takes `src` (or `url`, as next/image's own loader sends it), `w` and `q`. Throws OptionError and TypeError for
 * settings that are wrong.
 */
export function createImageHandler<Preset extends string>(
  settings: ImageHandlerSettings<Preset>,
): (request: Request) => Promise<Response> {
  const route = routeOf(settings);
  return async (request) => {
    const { status, headers, body } = await route(new URL(request.url).searchParams);
    return new Response(body || null, { status, headers });
  };
}

/** What a handler of the Pages Router needs of its request and response. */
export interface PagesRequest {
  url?: string | undefined;
}
export interface PagesResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body?: string): unknown;
}

/** Make the same handler for the Pages Router: `export default createPagesImageHandler({ … })` in `pages/api/img.ts`. */
export function createPagesImageHandler<Preset extends string>(
  settings: ImageHandlerSettings<Preset>,
): (request: PagesRequest, response: PagesResponse) => Promise<void> {
  const route = routeOf(settings);
  return async (request, response) => {
    const { status, headers, body } = await route(new URL(request.url ?? "", "http://host").searchParams);
    response.writeHead(status, headers);
    response.end(body);
  };
}

function routeOf<Preset extends string>(settings: ImageHandlerSettings<Preset>): Route {
  const judge = judgeOf(settings.allow);
  // What is wrong with a site's own settings is told to it, not to those who ask for pictures.
  stepsOf(settings, settings.widths ?? DEFAULT_WIDTHS);
  for (const quality of settings.qualities ?? []) settingsOf(OPTIONS, { quality });
  const expires = settingsOf(OPTIONS, { ...settings.options }).get("expires")?.timestamp?.[0];
  const maxAgeS = () => {
    const leftS = expires === undefined ? Number.POSITIVE_INFINITY : Number(expires) - Math.ceil(Date.now() / 1000);
    return Math.max(0, Math.min(settings.maxAgeS ?? AN_HOUR_S, leftS));
  };
  return async (query) => {
    try {
      const location = await locationOf(query, settings, judge);
      return { status: 307, headers: { location, "cache-control": `public, max-age=${maxAgeS()}` }, body: "" };
    } catch (wrong) {
      if (wrong instanceof OptionError) return refusal(wrong);
      throw wrong;
    }
  };
}

function refusal({ where, got, expected, message }: OptionError): Answer {
  const status = where === "src" && expected === ALLOWED ? 403 : 400;
  const error = { code: status === 403 ? "source_forbidden" : "bad_option", message, where, got, expected };
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers, body: JSON.stringify({ error }) };
}

const ALLOWED = "a source that this site allows";

async function locationOf<Preset extends string>(
  query: URLSearchParams,
  settings: ImageHandlerSettings<Preset>,
  judge: Judge,
): Promise<string> {
  const { signer, widths = DEFAULT_WIDTHS, qualities, presets } = settings;
  const given = query.get("src") ?? query.get("url");
  if (!given) throw new OptionError("src", "nothing", "the URL of a picture");
  const source = await judge(given);
  if (source === undefined) throw new OptionError("src", given, ALLOWED);
  const width = query.get("w");
  // Widths of one's own would let anybody fill the cache with pictures that no page shows.
  if (!width || !widths.some((one) => String(one) === width)) {
    throw new OptionError("w", width ?? "nothing", `one of ${widths.join(", ")}`);
  }
  const { by, options, steps } = stepsOf(settings, [Number(width)]);
  const quality = nearest(qualities, query.get("q"));
  const all: Options = { ...options, [by]: steps[0]!.value, ...(quality !== undefined && { quality }) };
  return signer.url(source, all, { presets });
}

function nearest(qualities: readonly number[] | undefined, asked: string | null): number | undefined {
  const wanted = Number(asked);
  if (!qualities?.length || !asked || !Number.isFinite(wanted)) return undefined;
  return qualities.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));
}
