// The pictures of a job: before alone, or before and after under a slider, or side by side where shapes differ.

import { make, say, show } from "./dom.js";
import { errorOf } from "./errors.js";
import { Slider } from "./slider.js";

// Shapes that differ by more of their width cannot lie on each other.
const SAME_SHAPE = 0.03;

export class Compare {
  constructor() {
    this.before = picture("Before: the source");
    this.after = picture("After: the result");
    this.slider = new Slider();
    this.frame = make("div", { className: "frame" }, this.before.box, this.after.box, ...this.slider.nodes);
    this.slider.move(this.frame);
    this.blank = make("p", { className: "quiet blank" });
    this.stage = make("div", { className: "stage" }, this.frame, this.blank);
    this.note = make("p", { className: "quiet caption" });
    this.node = make("figure", { className: "pictures" }, this.stage, make("figcaption", {}, this.note));
    for (const one of [this.before, this.after]) one.changed = () => this.arrange();
  }

  update(job) {
    const done = job.state === "done";
    this.before.load(sameOrigin(job.before_url));
    this.after.load(done ? sameOrigin(job.url) : "");
    this.waits =
      done && !job.url ? "Its result has no address here: it was ordered by an image URL." : WAITING[job.state];
    this.arrange();
  }

  /** Put the pictures as what is there allows. */
  arrange() {
    const { before, after } = this;
    const both = before.ratio && after.ratio;
    const alike = both && Math.abs(before.ratio / after.ratio - 1) < SAME_SHAPE;
    this.stage.dataset.mode = alike ? "slide" : before.url && after.url && both ? "side" : "one";
    this.frame.style.setProperty("--ratio", after.ratio || before.ratio || 4 / 3);
    for (const one of [before, after]) one.box.style.setProperty("--ratio", one.ratio || 4 / 3);
    this.slider.show(Boolean(alike));
    show(before.box, there(before) && Boolean(both || !after.ratio));
    show(after.box, there(after));
    // The pattern is behind pictures alone, not behind what is loading.
    this.stage.classList.toggle("ready", Boolean(before.ratio || after.ratio));
    // Where there is no picture, its place has the words.
    const blank = !there(before) && !there(after);
    show(this.frame, !blank);
    show(this.blank, blank);
    say(this.blank, blank ? this.caption(both) : "");
    say(this.note, blank ? "" : this.caption(both));
  }

  caption(both) {
    const { before, after } = this;
    const trouble = [after, before].find((one) => one.url && one.trouble);
    if (trouble) return `${trouble === after ? "The result" : "The source"} cannot be shown: ${trouble.trouble}`;
    if (after.ratio)
      return `Result: ${after.image.naturalWidth} × ${after.image.naturalHeight} pixels${both ? "" : "."}`;
    if (after.url) return "The result is loading…";
    if (!before.url) return `This server gives no address of the source's picture. ${this.waits ?? ""}`;
    return this.waits ?? "";
  }
}

const there = (one) => Boolean(one.url) && !one.trouble;

const WAITING = {
  queued: "Before. The result comes when the job is done.",
  running: "Before. The result is being made.",
  failed: "Before. There is no result.",
  cancelled: "Before. There is no result.",
};

/** Give an address of this server, "" for any other. */
export function sameOrigin(path) {
  if (!path) return "";
  const url = new URL(path, document.baseURI);
  return url.origin === location.origin ? url.href : "";
}

function picture(alt) {
  const image = make("img", { alt, loading: "lazy", decoding: "async", draggable: false });
  const label = make("span", { className: "label", "aria-hidden": "true" }, alt.split(":")[0]);
  const one = {
    image,
    box: make("div", { className: `picture ${label.textContent.toLowerCase()}` }, image, label),
    url: "",
    ratio: 0,
    trouble: "",
  };
  one.load = (url) => {
    if (url === one.url) return;
    Object.assign(one, { url, ratio: 0, trouble: "" });
    if (url) image.src = url;
    else image.removeAttribute("src");
  };
  image.addEventListener("load", () => {
    one.ratio = image.naturalWidth / image.naturalHeight;
    one.changed();
  });
  image.addEventListener("error", async () => {
    const { url } = one;
    if (!url) return;
    const trouble = await reason(url);
    if (url !== one.url) return;
    one.trouble = trouble;
    one.changed();
  });
  return one;
}

/** Ask why a picture did not come: an `img` does not tell. */
async function reason(url) {
  try {
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    return answer.ok ? "the browser cannot read it." : (await errorOf(answer)).message;
  } catch {
    return "the server does not answer.";
  }
}
