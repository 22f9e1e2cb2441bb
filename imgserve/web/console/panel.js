// The place of the panel: beside the list, and over the page where that is narrow.

import { byId } from "./dom.js";

const narrow = matchMedia("(max-width: 1079px)");

export class Panel {
  constructor() {
    this.node = byId("panel");
    this.content = null;
    narrow.addEventListener("change", () => this.cover());
  }

  get covers() {
    return narrow.matches;
  }

  get focused() {
    return this.node.contains(document.activeElement);
  }

  /** Show a content, which has a `node`; null = nothing. */
  show(content) {
    this.content = content;
    this.node.replaceChildren(...(content ? [content.node] : []));
    byId("columns").classList.toggle("opened", Boolean(content));
    this.cover();
  }

  /** What lies behind the panel must not be reached. */
  cover() {
    const covered = this.covers && Boolean(this.content);
    for (const node of document.querySelectorAll("#jobs, .top, .providers")) node.inert = covered;
    document.body.classList.toggle("covered", covered);
    if (covered) this.node.setAttribute("role", "dialog");
    else this.node.removeAttribute("role");
  }
}
