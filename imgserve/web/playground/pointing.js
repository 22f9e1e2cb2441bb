// Pointing at a place in the original, with a mouse, a finger or keys.

import { make, show } from "./dom.js";

// How far one press of an arrow goes, in shares of a side.
const STEP = 0.01;
const FAR_STEP = 0.1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const HOW = "Click the point, or move the ring with the arrow keys (Shift: far) and press Enter. Escape leaves all as it is.";

const percent = (share) => Math.round(100 * share);
const within = (share) => Math.min(1, Math.max(0, share));

export class Pointing {
  /** `image` is what is pointed at, in a node of its size; `turned` is called when it begins and ends. */
  constructor({ image, turned }) {
    Object.assign(this, { image, turned, now: null });
    // One slider for both ways: readers say its value when it changes.
    this.ring = make("span", { className: "ring", role: "slider", tabIndex: 0, hidden: true, "aria-label": "Focus point", "aria-roledescription": "point" });
    this.ring.addEventListener("keydown", (event) => this.key(event));
    addEventListener("keydown", (event) => event.key === "Escape" && this.end());
  }

  /** Begin with what is asked: { at, picked, pressed, back }; null = leave it. */
  begin(asked) {
    this.end();
    if (!asked) return;
    this.now = asked;
    asked.pressed(true);
    show(this.ring, true);
    this.move(...asked.at);
    this.turned();
    this.ring.focus({ preventScroll: true });
  }

  /** Leave it, or take the point where it is. */
  end(taken = false) {
    const { now } = this;
    if (!now) return;
    this.now = null;
    show(this.ring, false);
    now.pressed(false);
    this.turned();
    now.back.focus({ preventScroll: true });
    if (taken) now.picked(...this.at);
  }

  move(left, top) {
    this.at = [within(left), within(top)];
    const [x, y] = this.at.map(percent);
    this.ring.style.left = `${x}%`;
    this.ring.style.top = `${y}%`;
    this.ring.setAttribute("aria-valuenow", x);
    this.ring.setAttribute("aria-valuetext", `${x} % from the left, ${y} % from the top`);
  }

  key(event) {
    const way = ARROWS[event.key];
    const takes = ["Enter", " "].includes(event.key) && !event.repeat;
    if (!way && !takes) return;
    event.preventDefault();
    if (takes) {
      this.end(true);
      return;
    }
    const step = event.shiftKey ? FAR_STEP : STEP;
    this.move(this.at[0] + way[0] * step, this.at[1] + way[1] * step);
  }

  /** Take the point that was clicked. */
  clicked({ clientX, clientY }) {
    if (!this.now) return;
    const box = this.image.getBoundingClientRect();
    this.move((clientX - box.left) / box.width, (clientY - box.top) / box.height);
    this.end(true);
  }
}
