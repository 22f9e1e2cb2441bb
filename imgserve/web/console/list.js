// The list of jobs: one row a job, changed in place so that focus and places stay.

import { make, say, show } from "./dom.js";
import { middle } from "./middle.js";
import { ago, capital, ended, exactTime, progressText, STATES, title } from "./words.js";

// In which a second press means yes.
const CONFIRM_MS = 4000;

/** A button that cancels or begins anew; only what loses work asks back. */
export function actionButton(act) {
  const button = make("button", { type: "button", className: "action" });
  let job, timer;
  const calm = () => {
    clearTimeout(timer);
    timer = undefined;
    button.classList.remove("sure");
  };
  const label = () => {
    const word = ended(job) ? "Retry" : "Cancel";
    say(button, timer ? "Sure?" : word);
    const name = `${timer ? "Sure? " : ""}${word}: ${title(job)}`;
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  };
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    if (button.getAttribute("aria-disabled") === "true") return;
    if (job.state === "running" && !timer) {
      timer = setTimeout(() => (calm(), label()), CONFIRM_MS);
      button.classList.add("sure");
      label();
      return;
    }
    calm();
    label();
    // Not `disabled`, which would lose the focus.
    button.setAttribute("aria-disabled", "true");
    await act(ended(job) ? "retry" : "cancel", job);
    button.removeAttribute("aria-disabled");
  });
  return {
    button,
    update(given) {
      if (job?.state !== given.state) calm();
      job = given;
      show(button, job.state !== "done");
      label();
    },
  };
}

export const badge = () => make("span", { className: "badge" });

export function updateBadge(node, job) {
  node.dataset.state = job.state;
  say(node, capital(job.state));
}

export function progressBar() {
  return make("progress", { max: 1, "aria-label": "Progress" });
}

export function updateBar(bar, job) {
  bar.dataset.state = job.state;
  const value = job.state === "done" ? 1 : job.progress;
  if (bar.value !== value || !bar.hasAttribute("value")) bar.value = value;
}

class Row {
  constructor(job, { open, act }) {
    this.opener = make("button", { type: "button", className: "opener", "aria-controls": "panel" });
    this.badge = badge();
    this.bar = progressBar();
    this.way = make("span", { className: "quiet way" });
    this.age = make("span");
    this.tries = make("span");
    this.action = actionButton(act);
    const cell = (name, ...children) => make("div", { role: "cell", className: name }, ...children);
    this.node = make(
      "div",
      { role: "row", className: "row" },
      cell("what", this.opener, make("div", { className: "source" }, middle(job.source))),
      cell("state", this.badge),
      cell("progress", this.bar, this.way),
      cell("age", this.age),
      cell("tries", this.tries),
      cell("do", this.action.button),
    );
    this.node.dataset.id = job.id;
    this.node.addEventListener("click", () => {
      if (!String(getSelection())) open(job.id);
    });
  }

  update(job, { now, chosen }) {
    this.job = job;
    say(this.opener, title(job));
    updateBadge(this.badge, job);
    updateBar(this.bar, job);
    // Full or empty bars in all rows would say nothing.
    show(this.bar, job.state === "running" || job.state === "failed");
    const had = this.node.contains(document.activeElement) && document.activeElement === this.action.button;
    this.action.update(job);
    if (had && this.action.button.hidden) this.opener.focus();
    this.tell(now);
    this.choose(chosen);
  }

  choose(chosen) {
    this.node.classList.toggle("chosen", chosen);
    this.opener.setAttribute("aria-expanded", chosen);
  }

  /** Say what changes by itself as time goes by. */
  tell(now) {
    const { job } = this;
    say(this.way, progressText(job, now));
    this.way.title = job.error?.message ?? "";
    say(this.age, job.created_at ? ago(job.created_at, now) : "");
    this.age.title = exactTime(job.created_at);
    say(this.tries, job.max_attempts ? `${job.attempts} of ${job.max_attempts}` : String(job.attempts));
  }
}

export class List {
  constructor({ rows, table, empty, tabs, more, open, act, filter, loadMore }) {
    Object.assign(this, { rows, table, empty, tabs, more, open, act });
    this.shown = new Map();
    this.buttons = new Map();
    for (const state of ["", ...STATES]) {
      const count = make("span", { className: "count" });
      const button = make(
        "button",
        { type: "button", "aria-pressed": "false" },
        state ? capital(state) : "All",
        " ",
        count,
      );
      if (state) button.dataset.state = state;
      button.addEventListener("click", () => filter(state));
      this.buttons.set(state, { button, count });
      tabs.append(button);
    }
    more.addEventListener("click", loadMore);
    rows.addEventListener("keydown", (event) => this.walk(event));
  }

  /** Say that the jobs of a state are coming. */
  await(state) {
    this.press(state);
    this.table.setAttribute("aria-busy", "true");
    // What was shown stays, paler, for the moment that it takes.
    if (this.shown.size) return;
    show(this.more, false);
    this.empty.className = "empty loading";
    const bones = Array.from({ length: 5 }, () => make("div", { className: "bone", "aria-hidden": "true" }));
    this.empty.replaceChildren(make("p", { className: "unseen", role: "status" }, "Loading the jobs…"), ...bones);
    show(this.empty, true);
  }

  press(state) {
    for (const [name, { button }] of this.buttons) button.setAttribute("aria-pressed", name === state);
  }

  render({ jobs, counts, state, chosen, more, now }) {
    this.table.setAttribute("aria-busy", "false");
    this.count(counts);
    for (const job of jobs) this.update(job, { now, chosen });
    this.order(jobs.map((job) => job.id));
    show(this.empty, jobs.length === 0);
    if (jobs.length === 0) this.sayEmpty(state);
    show(this.more, more);
  }

  /** Tell how many there are; null = it is not known. */
  count(counts) {
    const all = STATES.reduce((sum, name) => sum + (counts?.[name] ?? 0), 0);
    for (const [name, { button, count }] of this.buttons) {
      button.dataset.some = counts?.[name] > 0;
      say(count, counts ? (name ? (counts[name] ?? 0) : all).toLocaleString() : "");
    }
  }

  update(job, { now, chosen }) {
    let row = this.shown.get(job.id);
    if (!row) this.shown.set(job.id, (row = new Row(job, this)));
    row.update(job, { now, chosen: job.id === chosen });
  }

  /** Put rows in this order, with as few moves as it takes: a node that moves loses its focus. */
  order(ids) {
    const wanted = new Set(ids);
    for (const [id, row] of this.shown) {
      if (wanted.has(id)) continue;
      const next =
        row.node.contains(document.activeElement) && (row.node.nextElementSibling ?? row.node.previousElementSibling);
      row.node.remove();
      this.shown.delete(id);
      if (next) next.querySelector(".opener").focus();
      else if (next === null)
        [...this.buttons.values()].find(({ button }) => button.ariaPressed === "true")?.button.focus();
    }
    let place = this.rows.lastElementChild;
    for (const id of ids.toReversed()) {
      const { node } = this.shown.get(id);
      if (node === place) place = place.previousElementSibling;
      else place ? place.after(node) : this.rows.prepend(node);
    }
  }

  sayEmpty(state) {
    this.empty.className = "empty";
    const sentence = state ? `No job is ${state}.` : "No jobs yet.";
    const hint = state
      ? "Others are behind the tabs above."
      : "They come from image URLs that ask for an AI step, from POST v1/jobs, and from New job.";
    if (this.empty.dataset.said === sentence && this.empty.querySelector("strong")) return;
    this.empty.dataset.said = sentence;
    this.empty.replaceChildren(make("p", { role: "status" }, make("strong", {}, sentence), make("br"), hint));
  }

  choose(id) {
    for (const [name, row] of this.shown) row.choose(name === id);
  }

  tick(now) {
    for (const row of this.shown.values()) row.tell(now);
  }

  focus(id) {
    const row = this.shown.get(id);
    if (row) row.opener.focus();
    return Boolean(row);
  }

  walk(event) {
    const to = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...this.rows.children];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    rows[Math.min(rows.length - 1, Math.max(0, at + to))]?.querySelector(".opener").focus();
    event.preventDefault();
  }
}
