// Cut-outs are made by a worker once, in a second or so: this orders them before a page needs them.
import "server-only";

import { jobs } from "@/lib/imgserve";

export interface CutOut {
  /** Whether it is there: then pages ask for it without waiting. */
  ready: boolean;
  /** Tells whether there is a cut-out once its job has ended, or has taken too long. */
  readonly ended: Promise<boolean>;
}

/** A page's answer stays open for so long at most. */
const PATIENCE_MS = 30_000;
/** Before it is ordered again where there is none: an order for each visitor would soon be refused. */
const PAUSE_MS = 10_000;

// One order for each source and process: what is done stays done.
const cutOuts = new Map<string, CutOut>();

export function cutOutOf(source: string): CutOut {
  const known = cutOuts.get(source);
  if (known) return known;
  const cutOut: CutOut = { ready: false, ended: order(source) };
  cutOuts.set(source, cutOut);
  void cutOut.ended.then((done) => {
    if (done) cutOut.ready = true;
    // A job that takes longer goes on meanwhile: the next order is of the same one.
    else setTimeout(() => cutOuts.delete(source), PAUSE_MS).unref();
  });
  return cutOut;
}

async function order(source: string): Promise<boolean> {
  try {
    const [job] = await jobs().submit({ source, options: { removeBackground: true }, ...webhook() });
    const ended = await jobs().wait(job!.id, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return ended.state === "done";
  } catch (wrong) {
    // A shop without cut-outs sells as well: the plain picture stays.
    console.warn(`No cut-out of ${source} yet:`, wrong);
    return false;
  }
}

/** Who is told when the job has ended: app/api/imgserve/route.ts, where imgserve can reach this site. */
function webhook() {
  const site = process.env.SITE_URL;
  return site ? { webhook: `${site}/api/imgserve` } : {};
}
