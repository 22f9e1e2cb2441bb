// One option: its name, what it does, a control for each argument, and what the server says is wrong with it.

import { capital } from "./catalog.js";
import { control } from "./controls.js";
import { make, say, show } from "./dom.js";
import { marked } from "./words.js";

export class OptionControl {
  constructor(option, { changed, pick }) {
    Object.assign(this, { option, pick, changed: () => changed(this) });
    const { name, aliases, fields } = option;
    this.state = make("span", { className: "value" });
    const names = [
      make("span", { className: "name" }, name),
      make("span", { className: "aliases" }, ...aliases.map((one) => make("span", {}, one))),
    ];
    this.doc = make("p", { className: "doc", id: `doc-${name}` }, ...marked(option.brief));
    this.fields = new Map(fields.map((field) => [field.name, this.field(field, fields.length === 1)]));
    this.error = make("p", { className: "error at", id: `error-${name}` });
    const body = make("div", { className: "fields" }, ...[...this.fields.values()].map((one) => one.node));
    this.reset = make("button", { type: "button", className: "reset", hidden: true, "aria-label": `Reset ${name}` }, "Reset");
    this.reset.addEventListener("click", () => {
      this.set(undefined);
      this.inputs()[0].focus();
      this.changed();
    });
    this.node = make("div", { className: "option" });
    this.node.dataset.option = name;
    this.node.append(...(fields.length === 1 ? this.alone(names, body) : this.folded(names, body)));
  }

  /** An option with one argument shows it at once. */
  alone(names, body) {
    const legend = make("legend", {}, ...names);
    return [make("fieldset", { "aria-describedby": this.doc.id }, legend, this.doc, body, this.error), this.reset];
  }

  folded(names, body) {
    const summary = make("summary", {}, ...names, this.state, this.doc);
    const legend = make("legend", { className: "unseen" }, this.option.name);
    this.details = make("details", {}, summary, make("fieldset", {}, legend, body, this.error));
    return [this.details, this.reset];
  }

  field(field, alone) {
    const id = `${this.option.name}.${field.name}`;
    const made = control(field, id, this.changed, this.pick);
    const properties = { id: `${id}-label`, className: alone ? "unseen" : "" };
    const word = field.label + (field.required && !alone ? " *" : "");
    const label = make(made.isGroup ? "span" : "label", made.isGroup ? properties : { ...properties, for: id }, word);
    label.classList.add("label-of");
    const hint = alone ? null : make("span", { className: "hint", id: `${id}-hint` }, ...marked(capital(field.doc)));
    for (const input of made.inputs) {
      const told = [input.getAttribute("aria-describedby"), hint?.id, `error-${this.option.name}`];
      input.setAttribute("aria-describedby", told.filter(Boolean).join(" "));
    }
    const head = make("div", { className: "of" }, label, hint);
    return { ...made, node: make("div", { className: "field" }, head, make("div", { className: "line-up" }, ...made.nodes)) };
  }

  inputs() {
    return [...this.fields.values()].flatMap((one) => one.inputs);
  }

  /** Give what is set as a table by field name, undefined where nothing is. */
  get() {
    const table = Object.fromEntries([...this.fields].map(([name, one]) => [name, one.get()]).filter(([, value]) => value !== undefined));
    return Object.keys(table).length ? table : undefined;
  }

  set(table) {
    for (const [name, one] of this.fields) one.set(table?.[name]);
    if (table && this.details) this.details.open = true;
    this.mark();
  }

  /** Show whether anything is set. */
  mark() {
    const table = this.get();
    this.node.classList.toggle("set", Boolean(table));
    show(this.reset, Boolean(table));
    say(this.state, table ? Object.values(table).map(written).join(" · ") : "");
  }

  fieldOf(name) {
    return this.fields.get(name) ?? [...this.fields.values()][0];
  }

  focus(field) {
    this.fieldOf(field).inputs[0].focus();
    this.node.scrollIntoView({ block: "center" });
  }

  /** Say what is wrong, "" = nothing; `field` names an argument. */
  blame(message, field = "") {
    say(this.error, message);
    for (const input of this.inputs()) input.removeAttribute("aria-invalid");
    if (!message) return;
    if (this.details) this.details.open = true;
    const wrong = this.fieldOf(field);
    for (const input of wrong.inputs.slice(0, wrong.isGroup ? undefined : 1)) input.setAttribute("aria-invalid", "true");
  }
}

const written = (value) => (typeof value === "object" ? Object.entries(value).flat().join(" ") : value === true ? "yes" : value === false ? "no" : String(value));
