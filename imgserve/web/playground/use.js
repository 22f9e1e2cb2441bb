// The panel of snippets: a tab for each way to use the URL, and a button that copies it.

import { copier } from "./clipboard.js";
import { make, say, show } from "./dom.js";
import { WRITERS } from "./snippets.js";

const KEYS = { ArrowRight: 1, ArrowLeft: -1 };

/** Give what the ways to use a URL are written of. */
export function usable({ recipe, signed, made, catalog, room }, more = {}) {
  const prefix = new URL(".", document.baseURI).pathname.replace(/\/$/, "");
  return {
    recipe: structuredClone(recipe),
    catalog,
    urls: room.urls,
    base: location.origin + prefix,
    address: new URL(signed.url, location.origin).href,
    size: made.size,
    format: made.format,
    ...more,
  };
}

export class Use {
  constructor(node, { news }) {
    this.tabs = Object.entries(WRITERS).map(([name, { word }]) => {
      const tab = make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "snippet" }, word);
      tab.dataset.name = name;
      tab.addEventListener("click", () => this.turn(name));
      return tab;
    });
    const list = make("div", { role: "tablist", className: "tabs", "aria-label": "Use it as" }, ...this.tabs);
    list.addEventListener("keydown", (event) => this.walk(event));
    this.code = make("code");
    const text = make("pre", { tabIndex: 0, role: "tabpanel", id: "snippet" }, this.code);
    this.text = text;
    this.copy = copier("Copy", () => this.code.textContent, (told) => news(told === "Copied." ? `${this.word} copied.` : told), { className: "copy" });
    this.box = make("div", { className: "snippet" }, text);
    this.head = make("div", { className: "snippet-head" }, list);
    this.hint = make("p", { className: "quiet hint" });
    this.blank = make("p", { className: "quiet blank" }, "When there is a picture, its URL is here to be copied.");
    node.append(this.copy, this.head, this.box, this.hint, this.blank);
    this.facts = null;
    this.turn("url");
  }

  get word() {
    return WRITERS[this.name].word;
  }

  turn(name) {
    this.name = name;
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", tab.dataset.name === name);
      tab.tabIndex = tab.dataset.name === name ? 0 : -1;
    }
    // Addresses break anywhere; programs between words.
    this.text.classList.toggle("program", ["js", "python"].includes(name));
    this.text.setAttribute("aria-labelledby", `tab-${name}`);
    this.copy.setAttribute("aria-label", `Copy ${this.word}`);
    this.write();
  }

  walk(event) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.tabs.findIndex((tab) => tab.dataset.name === this.name);
    const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
    next.focus();
    this.turn(next.dataset.name);
  }

  /** Take what is known of the URL, null = nothing. */
  tell(facts) {
    this.facts = facts;
    this.write();
  }

  write() {
    for (const one of [this.box, this.copy]) show(one, Boolean(this.facts));
    show(this.blank, !this.facts);
    say(this.code, this.facts ? WRITERS[this.name].write(this.facts) : "");
    const token = this.name === "html" && this.facts?.token;
    say(this.hint, token ? `One signature for all sizes: it covers the values that ${this.facts.chosen.name} may have in the query.` : "");
    show(this.hint, Boolean(token));
  }
}
