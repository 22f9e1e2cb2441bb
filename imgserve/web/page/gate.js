// The form that asks for an API key, and where it is kept: in this tab, for all pages of this server.

import { byId, say, show } from "./dom.js";

const KEY = "imgserve.key";

export class Gate {
  constructor(enter) {
    byId("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const key = byId("key").value.trim();
      // Headers can have no others, and a browser's word for that is of no use.
      const good = /^[\x21-\x7e]+$/.test(key);
      say(byId("key-error"), good ? "" : "A key has letters, digits and signs of ASCII only: copy it again.");
      if (good) enter(key);
    });
  }

  get key() {
    return sessionStorage.getItem(KEY);
  }

  ask(reason) {
    show(byId("gate"), true);
    say(byId("key-error"), reason);
    byId("key").value = "";
    byId("key").focus();
  }

  keep(key) {
    sessionStorage.setItem(KEY, key);
    show(byId("gate"), false);
  }

  forget() {
    sessionStorage.removeItem(KEY);
  }
}
