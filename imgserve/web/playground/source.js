// Which picture: one of the server's own, or any address that it may fetch.

import { byId, make, say, show } from "./dom.js";

// Half an address is one of another host, and a mistake that nobody has made yet.
const TYPED_PAUSE_MS = 800;

export class Source {
  constructor({ changed }) {
    this.input = byId("source");
    this.list = byId("samples");
    this.error = byId("source-error");
    this.buttons = [];
    this.input.addEventListener("input", () => {
      this.press();
      changed(this.value, TYPED_PAUSE_MS);
    });
    this.changed = changed;
  }

  get value() {
    return this.input.value.trim();
  }

  set(source) {
    this.input.value = source;
    this.press();
  }

  offer(samples) {
    this.buttons = samples.map(({ source, thumb }) => {
      const name = source.slice(source.lastIndexOf("/") + 1);
      const picture = thumb ? make("img", { src: thumb, alt: "", width: 64, height: 64, loading: "lazy" }) : null;
      const button = make("button", { type: "button", className: "sample", "aria-pressed": "false", title: source }, picture, make("span", {}, name));
      button.dataset.source = source;
      button.addEventListener("click", () => {
        this.set(source);
        this.changed(source);
      });
      return button;
    });
    this.list.replaceChildren(...this.buttons);
    show(this.list, samples.length > 0);
    say(byId("source-label"), samples.length ? "Or an address" : "Address");
    this.press();
  }

  press() {
    for (const button of this.buttons) {
      const pressed = button.dataset.source === this.value;
      button.setAttribute("aria-pressed", pressed);
      if (pressed) this.reveal(button);
    }
  }

  /** Scroll the list alone, never the page. */
  reveal(button) {
    const [box, one] = [this.list.getBoundingClientRect(), button.getBoundingClientRect()];
    if (one.left < box.left || one.right > box.right) this.list.scrollLeft += one.left - box.left - (box.width - one.width) / 2;
  }

  blame(message) {
    say(this.error, message);
    if (message) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }
}
