// Presets as toggles: they act in the order in which they were pressed, and options win over them.

import { byId, make, say, show } from "./dom.js";
import { marked } from "./words.js";

// It acts on every URL by itself.
const ALWAYS = "default";

export class Presets {
  constructor({ changed }) {
    this.changed = changed;
    this.on = [];
    this.known = new Map();
    this.error = byId("presets-error");
  }

  offer(presets) {
    this.known = new Map(presets.filter(({ name }) => name !== ALWAYS).map((one) => [one.name, one]));
    this.buttons = [...this.known.values()].map(({ name, doc }) => {
      const place = make("span", { className: "place", "aria-hidden": "true" });
      const button = make("button", { type: "button", className: "preset", "aria-pressed": "false", title: doc }, place, name);
      button.setAttribute("aria-description", doc);
      button.addEventListener("click", () => this.toggle(name));
      return { name, button, place };
    });
    byId("presets").replaceChildren(...this.buttons.map(({ button }) => button));
    this.set(this.on);
  }

  toggle(name) {
    this.set(this.on.includes(name) ? this.on.filter((one) => one !== name) : [...this.on, name]);
    this.changed(this.on);
  }

  set(names) {
    this.on = names;
    for (const { name, button, place } of this.buttons ?? []) {
      const at = names.indexOf(name);
      button.setAttribute("aria-pressed", at >= 0);
      say(place, at >= 0 && names.length > 1 ? String(at + 1) : "");
    }
    show(byId("presets-part"), this.known.size > 0 || names.length > 0);
    byId("presets-on").replaceChildren(...names.map((name) => this.told(name)));
  }

  told(name) {
    if (!this.known.has(name)) return make("li", {}, make("strong", {}, name), " This server does not know it. ", this.remover(name));
    const { doc, options } = this.known.get(name);
    return make("li", {}, make("strong", {}, name), " ", ...marked(doc), options ? make("code", { title: options }, options) : null);
  }

  /** The way to be rid of a preset that has no button to press again. */
  remover(name) {
    const button = make("button", { type: "button", className: "plain", "aria-label": `Remove ${name}` }, "Remove");
    button.addEventListener("click", () => {
      this.toggle(name);
      (this.buttons[0]?.button ?? byId("source")).focus();
    });
    return button;
  }

  blame(message) {
    say(this.error, message);
  }
}
