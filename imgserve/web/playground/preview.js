// The stage: the picture beside what it was made of, as slider, side by side or alone; fitted, or pixel by pixel.

import { byId, make, say, show } from "./dom.js";
import { HOW, Pointing } from "./pointing.js";
import { Slider } from "./slider.js";

// Shapes that differ by more of their width cannot lie on each other.
const SAME_SHAPE = 0.03;
const VIEWS = { slide: "Slider", side: "Side by side", one: "Result" };

export class Preview {
  constructor({ tools, stage, news }) {
    this.news = news;
    this.before = picture("Original", "before");
    this.after = picture("Result", "after");
    this.slider = new Slider();
    this.pointing = new Pointing({ image: this.before.image, turned: () => this.pointed() });
    this.before.box.append(this.pointing.ring);
    this.frame = make("div", { className: "frame" }, this.before.box, this.after.box, ...this.slider.nodes);
    this.slider.move(this.frame);
    this.blank = make("p", { className: "blank" });
    this.wrong = make("span");
    this.jump = make("button", { type: "button" }, "Show");
    this.jump.setAttribute("aria-label", "Show the option");
    this.jump.addEventListener("click", () => this.at());
    this.trouble = make("p", { className: "wrong", role: "alert", hidden: true }, this.wrong, this.jump);
    this.note = make("p", { className: "note", hidden: true });
    this.scroll = make("div", { className: "scroll" }, this.frame, this.blank);
    this.stage = make("div", { className: "stage" }, this.scroll, this.note, this.trouble);
    stage.append(this.stage);
    this.noted = "";
    this.view = "slide";
    this.views = toggles(VIEWS, "View", (view) => this.choose({ view }));
    this.zooms = toggles({ fit: "Fit", real: "1:1" }, "Zoom", (zoom) => this.choose({ zoom }));
    this.zoom = "fit";
    tools.append(this.views.node, this.zooms.node);
    this.frame.addEventListener("click", (event) => this.pointing.clicked(event));
    this.arrange();
  }

  choose(what) {
    Object.assign(this, what);
    this.arrange();
    // The middle of a picture is what it is about, and where the slider stands.
    const { scroll } = this;
    scroll.scrollTo((scroll.scrollWidth - scroll.clientWidth) / 2, (scroll.scrollHeight - scroll.clientHeight) / 2);
  }

  /** Show a picture's blob on one side; null = none. */
  async show(side, blob) {
    await this[side].load(blob);
    this.arrange();
    return this[side].size;
  }

  /** Say that something new is being made, while the old is still to be seen. */
  wait(waits) {
    this.stage.classList.toggle("waits", waits);
    this.stage.setAttribute("aria-busy", waits);
  }

  tell({ wrong = "", note = "", blank = "", at = null }) {
    say(this.wrong, wrong);
    this.at = at;
    show(this.jump, Boolean(at));
    show(this.trouble, Boolean(wrong));
    this.noted = note;
    this.remark();
    say(this.blank, blank);
    this.stage.classList.toggle("failed", Boolean(wrong));
  }

  /** Show what is to be known of the picture, or to be done in it. */
  remark() {
    const text = this.picking ? HOW : this.noted;
    say(this.note, text);
    show(this.note, Boolean(text));
  }

  get picking() {
    return Boolean(this.pointing.now);
  }

  /** Let a person point into the original, as pointing has it; null = no longer. */
  pick(asked) {
    if (asked && !this.before.size) this.news("There is no original to point at.");
    else this.pointing.begin(asked);
  }

  pointed() {
    this.remark();
    this.arrange();
    if (!this.picking) return;
    this.news(HOW);
    byId("result").scrollIntoView({ block: "nearest" });
  }

  arrange() {
    const { before, after, picking: picked } = this;
    const both = before.size && after.size;
    const alike = Boolean(both) && Math.abs(ratio(before) / ratio(after) - 1) < SAME_SHAPE;
    // Where shapes differ, pictures on each other would tell nothing.
    const mode = picked || !both ? "one" : this.view === "slide" && !alike ? "side" : this.view;
    this.stage.dataset.mode = mode;
    this.stage.classList.toggle("picking", picked);
    // Until there is a result, the original is what there is to see.
    show(before.box, Boolean(before.size) && (picked || mode !== "one" || !after.size));
    show(after.box, Boolean(after.size) && !picked);
    this.slider.show(mode === "slide");
    const main = picked || !after.size ? before : after;
    show(this.frame, Boolean(main.size));
    show(this.blank, this.frame.hidden);
    this.frame.style.setProperty("--ratio", ratio(main));
    for (const one of [before, after]) one.box.style.setProperty("--ratio", ratio(one));
    const real = this.zoom === "real" && !picked;
    this.stage.classList.toggle("real", real);
    this.frame.style.setProperty("--real", `${(main.size?.width ?? 0) / devicePixelRatio}px`);
    // What scrolls has to be reached by keys.
    if (real) this.scroll.tabIndex = 0;
    else this.scroll.removeAttribute("tabindex");
    if (real) {
      this.scroll.setAttribute("role", "region");
      this.scroll.setAttribute("aria-label", "Result, pixel by pixel");
    } else for (const name of ["role", "aria-label"]) this.scroll.removeAttribute(name);
    this.views.press(both && !picked ? mode : this.view);
    this.views.allow("slide", !both || alike, "The two shapes differ, so they stand side by side.");
    this.zooms.press(this.zoom);
  }
}

const ratio = ({ size }) => (size ? size.width / size.height : 4 / 3);

/** Make buttons of which one is pressed. */
function toggles(words, label, chosen) {
  const buttons = Object.entries(words).map(([name, word]) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, word);
    button.dataset.name = name;
    button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && chosen(name));
    return button;
  });
  const find = (name) => buttons.find((one) => one.dataset.name === name);
  return {
    node: make("div", { className: "segments", role: "group", "aria-label": label }, ...buttons),
    press: (name) => buttons.forEach((one) => one.setAttribute("aria-pressed", one.dataset.name === name)),
    allow: (name, allowed, why) => {
      find(name).setAttribute("aria-disabled", !allowed);
      find(name).title = allowed ? "" : why;
    },
  };
}

function picture(word, name) {
  const image = make("img", { alt: word, draggable: false });
  const label = make("span", { className: "label", "aria-hidden": "true" }, word);
  let last = 0;
  const one = { image, box: make("div", { className: `picture ${name}` }, image, label), size: null, url: "" };
  one.load = async (blob) => {
    const mine = (last += 1);
    const url = blob ? URL.createObjectURL(blob) : "";
    const fresh = make("img", { src: url });
    // Decoded before it takes the place of the one before, so that nothing flickers.
    if (blob) await fresh.decode().catch(() => undefined);
    // A large picture may take longer than a small one that was asked for later.
    if (mine !== last) {
      URL.revokeObjectURL(url);
      return;
    }
    if (one.url) URL.revokeObjectURL(one.url);
    one.url = url;
    one.size = fresh.naturalWidth ? { width: fresh.naturalWidth, height: fresh.naturalHeight } : null;
    if (url) image.src = url;
    else image.removeAttribute("src");
  };
  return one;
}
