// The panel of a new job: a source, what is to be done with it, and how urgent it is.

import { make, say } from "./dom.js";

// Options that are one press away, where a provider can do them.
const STEPS = [
  { task: "background", word: "Remove background", option: "remove_background:1" },
  { task: "upscale", word: "Upscale 2×", option: "upscale:2" },
  { task: "faces", word: "Blur faces", option: "blur_detections:10:face" },
];

const words = (text) => text.split(/\s+/).filter(Boolean);

export class Order {
  constructor({ send, close, ordered }) {
    Object.assign(this, { send, ordered });
    const shut = make("button", { type: "button", className: "close", "aria-label": "Close the form" }, "×");
    shut.addEventListener("click", close);
    this.heading = make("h2", { id: "panel-title", tabIndex: -1 }, "New job");
    this.source = field("source", { required: true, placeholder: "https://example.com/mug.jpg", inputMode: "url" });
    this.first = this.source;
    this.options = field("options", { placeholder: "remove_background:1 w:600" });
    this.presets = field("presets", { placeholder: "none" });
    this.priority = field("priority", { type: "number", min: -100, max: 100, step: 1, value: 0, required: true });
    this.steps = make("div", { className: "steps", role: "group", "aria-label": "Steps" });
    this.error = make("p", { className: "error", role: "alert", id: "order-error" });
    this.go = make("button", { className: "primary" }, "Order the job");
    this.form = make(
      "form",
      { autocomplete: "off" },
      ...labelled(this.source, "Source", "As it stands in image URLs: https://, s3://, local:///…"),
      this.steps,
      ...labelled(this.options, "Options", "As in image URLs, with spaces between."),
      make(
        "div",
        { className: "pair" },
        make("div", {}, ...labelled(this.presets, "Presets")),
        make("div", {}, ...labelled(this.priority, "Priority", "Higher comes first.")),
      ),
      this.error,
      this.go,
    );
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.options.addEventListener("input", () => this.press());
    this.node = make(
      "div",
      { className: "card" },
      make("div", { className: "panel-head" }, this.heading, shut),
      this.form,
    );
  }

  /** Offer the steps that this server can do. */
  offer(providers) {
    const known = JSON.stringify(Object.entries(providers).map(([task, one]) => [task, one?.available]));
    if (known === this.known) return;
    const first = this.known === undefined;
    this.known = known;
    const buttons = STEPS.filter(({ task }) => providers[task]?.available).map(({ word, option }) => {
      const button = make("button", { type: "button", className: "step", "aria-pressed": "false" }, word);
      button.dataset.option = option;
      button.addEventListener("click", () => this.toggle(option));
      return button;
    });
    this.steps.replaceChildren(...buttons);
    if (first && !this.options.value && buttons.length) this.options.value = buttons[0].dataset.option;
    this.press();
  }

  toggle(option) {
    const given = words(this.options.value);
    this.options.value = (given.includes(option) ? given.filter((one) => one !== option) : [...given, option]).join(
      " ",
    );
    this.press();
  }

  press() {
    const given = words(this.options.value);
    for (const button of this.steps.children)
      button.setAttribute("aria-pressed", given.includes(button.dataset.option));
  }

  async submit(event) {
    event.preventDefault();
    if (this.go.getAttribute("aria-disabled") === "true") return;
    say(this.error, "");
    for (const one of this.fields()) one.removeAttribute("aria-invalid");
    this.go.setAttribute("aria-disabled", "true");
    try {
      const { jobs } = await this.send(this.body());
      this.source.value = "";
      this.ordered(jobs);
    } catch (error) {
      this.blame(error);
    } finally {
      this.go.removeAttribute("aria-disabled");
    }
  }

  body() {
    const body = { source: this.source.value.trim(), priority: Number(this.priority.value) };
    const [presets, options] = [words(this.presets.value.replaceAll(",", " ")), words(this.options.value)];
    return { ...body, ...(presets.length ? { presets } : {}), ...(options.length ? { options } : {}) };
  }

  blame(error) {
    say(this.error, error.message);
    const wrong = this.fields().find((one) => (error.where ?? "").startsWith(one.name));
    wrong?.setAttribute("aria-invalid", "true");
    (wrong ?? this.go).focus();
  }

  fields() {
    return [this.source, this.options, this.presets, this.priority];
  }
}

function field(name, properties) {
  const given = { type: "text", name, id: `order-${name}`, autocapitalize: "off", spellcheck: false, ...properties };
  return make("input", given);
}

function labelled(input, word, hint) {
  const said = hint && make("span", { className: "quiet hint", id: `${input.id}-hint` }, hint);
  input.setAttribute("aria-describedby", `${hint ? `${input.id}-hint ` : ""}order-error`);
  return [make("label", { htmlFor: input.id }, word), input, said];
}
