// How fresh the page is, and the sentence of a trouble while it lasts.

import { byId, say, show } from "./dom.js";

// Older than this, what is shown is no longer live.
const LIVE_MS = 4000;

export class Pulse {
  constructor() {
    this.trouble = null;
    this.polledAt = 0;
    // When the server is asked again after a trouble.
    this.resumeAt = 0;
  }

  fresh() {
    this.polledAt = Date.now();
    this.tell(null);
  }

  /** Say what is wrong, or null; `shown` tells whether something of before is to be seen. */
  tell(error, { shown = false, waitMs = 0 } = {}) {
    this.trouble = error;
    this.resumeAt = error ? Date.now() + waitMs : 0;
    say(byId("trouble-text"), error ? `${sentence(error.message)}${shown ? " What you see is from before." : ""}` : "");
    show(byId("trouble"), Boolean(error));
    this.tick(shown);
  }

  tick(loaded) {
    say(byId("pulse-text"), this.text(loaded));
    byId("pulse").dataset.kind = this.trouble ? "trouble" : loaded ? "live" : "waits";
  }

  text(loaded) {
    const left = Math.ceil((this.resumeAt - Date.now()) / 1000);
    if (this.trouble) return left > 0 ? `Again in ${left} s` : "Trying…";
    if (!loaded) return "Connecting…";
    const age = Date.now() - this.polledAt;
    return age > LIVE_MS ? `${Math.round(age / 1000)} s old` : "Live";
  }
}

const sentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
