// A tiny picture to show while the right one loads, as the server's /info has it.
import { ImgserveError } from "./errors.js";
import type { InfoOptions } from "./generated/info.js";
import type { Signer } from "./signer.js";

/** What the server tells of a picture for its place on a page. */
export interface Lqip {
  /** Size of the source as people see it. */
  width: number;
  height: number;
  /** A tiny picture of it as a `data:` URL. */
  blurDataURL: string;
  /** Widths that are worth offering: the customary ones below its own, then its own. */
  widths: number[];
}

export interface PlaceholderSettings {
  /** Width of the tiny picture in pixels. */
  width?: number | undefined;
  /** What to ask with: give a function of your own for caching or another address of the server. */
  fetch?: ((url: string) => Promise<Response>) | undefined;
  base64?: boolean | undefined;
}

const WIDTH = 16;
/** A page must not wait long for what is shown until the picture is there. */
const TIMEOUT_MS = 5000;

/** Ask the server for a tiny picture; throws ImgserveError, and what fetch throws. */
export async function placeholder(
  signer: Signer,
  source: string,
  { width = WIDTH, fetch: ask = askOnce, base64 }: PlaceholderSettings = {},
): Promise<Lqip> {
  const options: InfoOptions = { size: false, format: false, dimensions: false, exif: false, lqip: width };
  const answer = await ask(await signer.info(source, options, { base64 }));
  if (!answer.ok) throw await ImgserveError.of(answer);
  const { lqip } = (await answer.json()) as { lqip?: Lqip };
  if (lqip) return lqip;
  throw new ImgserveError("The answer has no lqip: the server is older than this package.", {
    code: "no_lqip",
    status: answer.status,
  });
}

const askOnce = (url: string) => fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
