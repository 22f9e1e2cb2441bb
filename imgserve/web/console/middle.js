// Long texts in little room.

import { make } from "./dom.js";

/** A text that is shortened in its middle where it has no room; all of it is in its title. */
export function middle(text) {
  const name = text.length - text.lastIndexOf("/", text.length - 2);
  const cut = Math.max(0, text.length - (name <= LONGEST_NAME ? name : TAIL));
  return make(
    "span",
    { className: "middle", title: text },
    make("span", { className: "start" }, text.slice(0, cut)),
    make("span", { className: "end" }, text.slice(cut)),
  );
}

// Characters at the end that are always shown: the name of the file, or of a long one its end.
const LONGEST_NAME = 28;
const TAIL = 20;
