// The slider over two pictures that lie on each other.

import { make, show } from "./dom.js";

export class Slider {
  constructor() {
    this.input = make("input", { type: "range", min: 0, max: 100, value: 50, step: 1, className: "slider" });
    this.input.setAttribute("aria-label", "Compare before and after");
    this.line = make("span", { className: "line", "aria-hidden": "true" });
    this.nodes = [this.line, this.input];
    this.input.addEventListener("input", () => this.slide());
  }

  /** Say what it moves: a node whose style has `--at`. */
  move(frame) {
    this.frame = frame;
    this.slide();
  }

  show(shown) {
    for (const node of this.nodes) show(node, shown);
  }

  slide() {
    const at = this.input.value;
    this.frame.style.setProperty("--at", `${at}%`);
    this.input.setAttribute("aria-valuetext", `${at} % before, ${100 - at} % after`);
  }
}
