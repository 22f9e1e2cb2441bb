// A route that signs: `GET /img?src=…&w=640&q=75` is redirected to the signed URL, for pages that cannot make tokens.
import { type Allow, allowedSource } from "./allow.js";
import { OptionError } from "./errors.js";
import type { Options } from "./generated/options.js";
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
  /** Seconds for which browsers and CDNs keep the redirect. */
  maxAgeS?: number | undefined;
}

const AN_HOUR_S = 3600;

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Make a route handler of the App Router: `export const GET = createImageHandler({ signer, allow: ["https://…/"] })`.
 *
 * It takes `src` (or `url`, as next/image's own loader sends it), `w` and `q`.
 */
export function createImageHandler<Preset extends string>(
  settings: ImageHandlerSettings<Preset>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { status, headers, body } = await answer(new URL(request.url).searchParams, settings);
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
  return async (request, response) => {
    const { status, headers, body } = await answer(new URL(request.url ?? "", "http://host").searchParams, settings);
    response.writeHead(status, headers);
    response.end(body);
  };
}

async function answer<Preset extends string>(
  query: URLSearchParams,
  settings: ImageHandlerSettings<Preset>,
): Promise<Answer> {
  try {
    const location = await locationOf(query, settings);
    const maxAgeS = settings.maxAgeS ?? AN_HOUR_S;
    return { status: 307, headers: { location, "cache-control": `public, max-age=${maxAgeS}` }, body: "" };
  } catch (wrong) {
    if (!(wrong instanceof OptionError)) throw wrong;
    const { where, got, expected, message } = wrong;
    const status = where === "src" && expected === ALLOWED ? 403 : 400;
    const error = { code: status === 403 ? "source_forbidden" : "bad_option", message, where, got, expected };
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return { status, headers, body: JSON.stringify({ error }) };
  }
}

const ALLOWED = "a source that this site allows";

async function locationOf<Preset extends string>(
  query: URLSearchParams,
  settings: ImageHandlerSettings<Preset>,
): Promise<string> {
  const { signer, allow, widths = DEFAULT_WIDTHS, qualities, presets } = settings;
  const given = query.get("src") ?? query.get("url");
  if (!given) throw new OptionError("src", "nothing", "the URL of a picture");
  const source = await allowedSource(given, allow);
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
