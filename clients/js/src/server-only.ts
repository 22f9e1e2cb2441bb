// Secrets stay on servers: what needs one refuses to run in a browser.

/** Throw where this runs in a browser; `what` was called, and `instead` is what to do there. */
export function refuseBrowser(what: string, instead: string): void {
  if (typeof window === "undefined" && typeof document === "undefined") return;
  throw new Error(
    `${what} was called in a browser, where everybody can read its key. Call it in server code (a server component, ` +
      `a route handler, a build script); ${instead}.`,
  );
}
