// The panel of one job: its way, its pictures, all that is known of it.

import { copier } from "./clipboard.js";
import { Compare, sameOrigin } from "./compare.js";
import { make, say, show } from "./dom.js";
import { actionButton, badge, progressBar, updateBadge, updateBar } from "./list.js";
import { middle } from "./middle.js";
import {
  ago,
  duration,
  ended,
  exactTime,
  factName,
  factText,
  percent,
  progressText,
  span,
  taskName,
  title,
} from "./words.js";

export class Detail {
  constructor(id, { act, close, news }) {
    this.id = id;
    this.heading = make("h2", { id: "panel-title", tabIndex: -1 }, "Loading the job…");
    this.badge = badge();
    this.bar = progressBar();
    this.way = make("span", { className: "way" });
    this.error = make("p", { className: "error" });
    this.compare = new Compare();
    this.action = actionButton(act);
    this.view = make("a", { className: "button", target: "_blank", rel: "noopener", hidden: true }, "Open result");
    this.facts = make("dl");
    this.copyId = copier("Copy id", () => this.id, news);
    this.copyUrl = copier("Copy URL", () => sameOrigin(this.job.url), news);
    const shut = make("button", { type: "button", className: "close", "aria-label": "Close the job" }, "×");
    shut.addEventListener("click", close);
    this.trouble = make("p", { className: "error", role: "alert" });
    this.body = make(
      "div",
      { hidden: true },
      make("p", { className: "line-up" }, this.badge, this.bar, this.way),
      this.error,
      this.compare.node,
      make("p", { className: "buttons" }, this.action.button, this.view, this.copyUrl, this.copyId),
      this.facts,
    );
    this.node = make(
      "div",
      { className: "card" },
      make("div", { className: "panel-head" }, this.heading, shut),
      this.trouble,
      this.body,
    );
    this.rows = new Map();
    this.first = this.heading;
    this.gone = false;
  }

  update(job, now) {
    this.job = job;
    say(this.heading, title(job));
    say(this.trouble, "");
    show(this.body, true);
    updateBadge(this.badge, job);
    updateBar(this.bar, job);
    say(this.error, this.errorText(job));
    show(this.error, Boolean(job.error) && job.state !== "done");
    this.error.classList.toggle("mild", !ended(job));
    const had = document.activeElement === this.action.button;
    this.action.update(job);
    if (had && this.action.button.hidden) this.heading.focus();
    this.compare.update(job);
    const url = sameOrigin(job.url);
    show(this.view, Boolean(url) && job.state === "done");
    if (url && this.view.href !== url) this.view.href = url;
    show(this.copyUrl, Boolean(url));
    this.tell(now);
  }

  /** Whether it is worth following. */
  get mayChange() {
    return !this.gone && !(this.job && ended(this.job));
  }

  fail(error) {
    if (this.job) return;
    this.gone = error.status === 404;
    say(this.heading, this.gone ? "There is no such job" : "The job cannot be shown");
    say(this.trouble, error.message);
  }

  errorText(job) {
    if (!job.error) return "";
    return ended(job) ? job.error.message : `The try before failed: ${job.error.message}`;
  }

  tell(now) {
    const { job } = this;
    if (!job) return;
    const running = job.state === "running";
    const took = duration(job, now);
    say(this.way, running ? `${taskName(job.task)} · ${percent(job.progress)}` : progressText(job, now));
    this.put("Source", job.source);
    this.put("Ordered", job.created_at && `${exactTime(job.created_at)} (${ago(job.created_at, now)})`);
    this.put("By", job.owner ?? "an image URL");
    this.put("Waited", job.started_at && span(Date.parse(job.started_at) - Date.parse(job.created_at)));
    this.put("Worked on", took);
    this.put("Ended", exactTime(job.ended_at));
    this.put("Next try", job.state === "queued" && job.due_at ? exactTime(job.due_at) : "");
    this.put("Tries", job.max_attempts ? `${job.attempts} of ${job.max_attempts}` : String(job.attempts));
    this.put("Priority", String(job.priority));
    this.put("Worker", job.worker);
    this.tellFacts(job.facts);
    this.put("Id", job.id, () => middle(job.id));
  }

  /** Tell what the worker said of a job that is done; their names are the worker's own. */
  tellFacts({ width, height, ...others }) {
    this.put("Made", width && height ? `${width} × ${height} pixels` : "");
    for (const [name, value] of Object.entries(others))
      this.put(factName(name), factText(name, value), null, `fact ${name}`);
  }

  /** Put a fact into its row; one without a text has none. */
  put(name, text, node, key = name) {
    let row = this.rows.get(key);
    if (!row) {
      row = { value: make("dd"), text: undefined };
      row.node = make("div", {}, make("dt", {}, name), row.value);
      this.rows.set(key, row);
      this.facts.append(row.node);
    }
    show(row.node, Boolean(text));
    if (row.text === text) return;
    row.text = text;
    row.value.replaceChildren(node ? node() : (text ?? ""));
  }
}
