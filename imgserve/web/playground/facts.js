// What is to be said of a result: how large, how heavy, in which format, how fast, from where.

import { make, say } from "./dom.js";
import { bytes, cacheName, formatName, ms, pixels, share } from "./words.js";

const ROWS = { size: "Size", weight: "Weight", format: "Format", time: "Time", cache: "Cache" };

export class Facts {
  constructor(node) {
    this.node = node;
    this.rows = Object.fromEntries(
      Object.entries(ROWS).map(([name, word]) => {
        const main = make("span", { className: "main" });
        const more = make("span", { className: "more" });
        node.append(make("div", { className: name }, make("dt", {}, word), make("dd", {}, main, more)));
        return [name, { main, more }];
      }),
    );
    this.clear();
  }

  put(name, main, more = "") {
    say(this.rows[name].main, main);
    say(this.rows[name].more, more);
  }

  clear() {
    for (const name of Object.keys(ROWS)) this.put(name, "–");
    this.made = null;
    this.node.style.setProperty("--part", "0px");
  }

  /** Tell of a picture that has come; gives it as a sentence. */
  tell(made, size) {
    this.made = made;
    this.put("size", size ? pixels(size.width, size.height) : "–", "pixels");
    this.put("weight", bytes(made.blob.size), " ");
    this.put("format", formatName(made.format), " ");
    this.put("time", ms(made.serverMs), `${ms(made.totalMs)} with transfer`);
    this.put("cache", made.fallback ? "fallback picture" : cacheName(made.cache), " ");
    const sizes = size ? `${size.width} by ${size.height} pixels, ` : "";
    return `Result: ${sizes}${bytes(made.blob.size)}, ${formatName(made.format)}, ${ms(made.serverMs)}.`;
  }

  /** Tell of the source, which is known a moment later. */
  source({ source_image: image, options, negotiated }) {
    if (!this.made) return;
    const { format } = this.made;
    const asked = options.some(({ name }) => name === "format");
    const liked = [...negotiated.enforced, ...negotiated.preferred].includes(format);
    const why = asked ? "as the URL says" : liked ? "the browser reads it" : format === image.format ? "as the source" : "";
    this.put("format", formatName(format), why || `from ${formatName(image.format)}`);
    const part = Math.min(1, this.made.blob.size / image.bytes);
    this.node.style.setProperty("--part", `max(3px, ${100 * part}%)`);
    const whole = `of ${bytes(image.bytes)}`;
    this.put("weight", bytes(this.made.blob.size), `${share(this.made.blob.size, image.bytes)} ${whole}`);
    this.put("size", this.rows.size.main.textContent, `of ${pixels(image.width, image.height)}`);
  }

  /** Tell what the same request took again. */
  again(made) {
    const place = made.cache && made.cache !== "miss" ? cacheName(made.cache) : "again";
    this.put("cache", this.rows.cache.main.textContent, `${place} in ${ms(made.serverMs)}`);
  }
}
