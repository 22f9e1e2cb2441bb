// The list of all options: in groups, with a search over names, other names and what they do.

import { make, say, show } from "./dom.js";
import { OptionControl } from "./option.js";

// What most people begin with.
const OPENED = ["Size"];
const NONE = "No option is like that. Try another word, such as sharpen, corner or jpeg.";

export class Options {
  constructor(catalog, { list, search, found, resetAll, changed, pick }) {
    Object.assign(this, { catalog, search, found, resetAll });
    this.controls = new Map();
    this.groups = catalog.groups.map(({ title, options }) => {
      const controls = options.map((option) => new OptionControl(option, { changed: (one) => this.note(one, changed), pick }));
      for (const one of controls) this.controls.set(one.option.name, one);
      const count = make("span", { className: "count" });
      const summary = make("summary", {}, make("span", {}, title), count);
      const node = make("details", { className: "group", open: OPENED.includes(title) }, summary, ...controls.map((one) => one.node));
      return { node, count, controls };
    });
    this.results = make("div", { className: "results", hidden: true });
    list.append(this.results, ...this.groups.map(({ node }) => node));
    search.addEventListener("input", () => this.filter());
    resetAll.addEventListener("click", () => {
      this.set({});
      this.search.focus();
      changed("", undefined);
    });
    this.mark();
  }

  note(one, changed) {
    one.mark();
    this.mark();
    changed(one.option.name, one.get());
  }

  /** Show what is found, best first, in the place of the groups. */
  filter() {
    const query = this.search.value.trim();
    const { options, told } = query ? this.catalog.find(query) : { options: [], told: "" };
    for (const { node } of this.groups) show(node, !query);
    if (!query) for (const { node, controls } of this.groups) node.append(...controls.map((one) => one.node));
    else {
      // Those that are not found are nowhere: what is set in them stays.
      this.results.replaceChildren(...options.map((name) => this.controls.get(name).node));
    }
    show(this.results, options.length > 0);
    const count = options.length === 1 ? "1 option" : `${options.length} options`;
    say(this.found, query ? [options.length || !told ? (options.length ? `${count}.` : NONE) : "", told].filter(Boolean).join(" ") : "");
  }

  /** Show a recipe's options; those that are not in it are reset. */
  set(options) {
    for (const [name, one] of this.controls) one.set(options[name]);
    for (const group of this.groups) if (group.controls.some((one) => one.get())) group.node.open = true;
    this.mark();
  }

  mark() {
    let all = 0;
    for (const { count, controls } of this.groups) {
      const some = controls.filter((one) => one.get()).length;
      all += some;
      say(count, some ? `${some} set` : "");
    }
    show(this.resetAll, all > 0);
  }

  /** Say at its control what is wrong; gives a function that leads there, null where there is none. */
  blame(where, message) {
    for (const one of this.controls.values()) one.blame("");
    const [name, field] = where.replace(/^options\./, "").split(/[.,\s]/);
    const wrong = message && this.controls.get(name);
    if (!wrong) return null;
    wrong.blame(message, field);
    this.groups.find(({ controls }) => controls.includes(wrong)).node.open = true;
    return () => {
      this.search.value = "";
      this.filter();
      wrong.focus(field);
    };
  }
}
