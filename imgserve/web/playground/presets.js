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
    show(byId("presets-part"), this.known.size > 0);
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
    byId("presets-on").replaceChildren(...names.map((name) => this.told(name)));
  }

  told(name) {
    const { doc, options } = this.known.get(name) ?? { doc: "This server does not know it.", options: "" };
    return make("li", {}, make("strong", {}, name), " ", ...marked(doc), options ? make("code", { title: options }, options) : null);
  }

  blame(message) {
    say(this.error, message);
  }
}
