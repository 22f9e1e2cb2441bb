// The blurred picture of <SignedImage>: kept by Next.js where there is one, and done without where there is none.
import { placeholder } from "./placeholder.js";
import type { Signer } from "./signer.js";

export interface BlurSettings {
  base64: boolean | undefined;
  /** Seconds for which Next.js keeps it. */
  revalidate: number;
}

/** A page must not wait long for what is shown until the picture is there. */
const TIMEOUT_MS = 3000;
/** Longer than Next.js may take to make a page ahead (`staticPageGenerationTimeout`, 60 seconds). */
const FORGOTTEN_AFTER_MS = 70_000;
const MAX_FAILED = 1000;

/**
 * Pictures whose placeholder could not be had, and when.
 *
 * With Cache Components, Next.js makes a page twice, and what is in no cache the second time ends the build. A fetch that
 * failed is not kept by Next.js, so it is kept here.
 */
const failed = new Map<string, number>();

/** Ask for a tiny picture; undefined where it cannot be had. */
export async function blurOf(
  signer: Signer,
  source: string,
  { base64, revalidate }: BlurSettings,
): Promise<string | undefined> {
  const picture = `${signer.baseUrl}/${source}`;
  if (hasFailed(picture)) return undefined;
  // Next.js reads `next` of its own fetch; other frameworks read over it.
  const init = { next: { revalidate }, signal: AbortSignal.timeout(TIMEOUT_MS) } as RequestInit;
  try {
    return (await placeholder(signer, source, { base64, fetch: (url) => fetch(url, init) })).blurDataURL;
  } catch (wrong) {
    // With a digest it is Next.js that interrupts a page, which only it may catch.
    if (typeof (wrong as { digest?: unknown }).digest === "string") throw wrong;
    remember(picture);
    return undefined;
  }
}

function hasFailed(picture: string): boolean {
  const at = failed.get(picture);
  // Not Date.now(): with Cache Components, a page that reads the clock cannot be made ahead.
  return at !== undefined && performance.now() - at < FORGOTTEN_AFTER_MS;
}

function remember(picture: string): void {
  if (failed.size >= MAX_FAILED) failed.clear();
  failed.set(picture, performance.now());
}
