// Waiting for AI steps: how long a page asks again, and what is said of it.

// AI steps that take longer are not waited for by a page.
const MOST_MS = 600_000;

const WORKED_ON = "An AI step is being worked on.";
const GIVEN_UP = "The AI step takes longer than 10 minutes. This page asks no more: reload it to look again.";

export class Waiting {
  constructor() {
    this.since = 0;
  }

  get waits() {
    return this.since > 0;
  }

  /** Forget it: something else is asked for. */
  clear() {
    this.since = 0;
  }

  /** Note that a picture is not ready; gives what is to be said, and whether to ask again. */
  note(hasPicture) {
    this.since ||= Date.now();
    if (Date.now() - this.since >= MOST_MS) return { note: GIVEN_UP, again: false };
    const more = hasPicture ? "Until it is ready, you see the picture without it." : "The picture comes when it is ready.";
    return { note: `${WORKED_ON} ${more}`, again: true };
  }

  /** Note that the picture is there; gives what is to be said before all else. */
  over() {
    const waited = this.waits;
    this.clear();
    return waited ? "The AI step is ready. " : "";
  }
}
