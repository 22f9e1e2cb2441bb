// What happens to the picture: the steps that act on this one, in the server's order, in plain words.

import { make } from "./dom.js";
import { bytes, formatName, marked, pixels } from "./words.js";

const TITLES = {
  model: "AI step",
  trim: "Trim",
  shrink: "Decode",
  working_space: "Colours to work in",
  crop: "Crop",
  scale: "Resize",
  orient: "Turn",
  fit: "Cut to size",
  adjust: "Adjust",
  filter: "Filter",
  mask: "Shape",
  extend: "Extend",
  shadow: "Shadow",
  pad: "Padding",
  limit: "Limit",
  flatten: "Background",
  overlay: "Watermark",
  output_space: "Colours to send",
  strip: "Metadata",
  encode: "Encode",
};

const NOTHING_YET = "When there is a picture, the steps that made it are told here.";

const GRAVITIES = {
  ce: "its centre",
  no: "its top",
  so: "its bottom",
  we: "its left",
  ea: "its right",
  nowe: "its top left",
  noea: "its top right",
  sowe: "its bottom left",
  soea: "its bottom right",
  sm: "its most interesting part",
  fp: "the chosen point",
  obj: "the objects in it",
  objw: "the objects in it",
};

const kept = (gravity) => GRAVITIES[gravity?.type] ?? "its centre";

const percent = (factor) => `${Number((100 * factor).toPrecision(3))} %`;

/** Sentences of stages that the layout decides, "" where they do nothing to this picture. */
const LAID_OUT = {
  crop: ({ layout: on }) =>
    on.crop_width || on.crop_height
      ? `Cuts ${pixels(on.crop_width || on.width, on.crop_height || on.height)} out of it, at ${kept(on.crop_gravity)}.`
      : "",
  scale: resized,
  orient: ({ layout: on }) =>
    on.angle || on.mirror ? `Upright, as its EXIF orientation says${on.angle ? `: by ${on.angle}°` : ""}.` : "",
  fit: cut,
  extend: ({ layout: on }) =>
    on.canvas_width || on.canvas_height ? `Adds space up to ${pixels(on.canvas_width, on.canvas_height)}.` : "",
  pad: ({ layout: on }) => (on.padding.some(Boolean) ? `Adds ${on.padding.join(", ")} pixels: top, right, bottom, left.` : ""),
};

function resized({ layout: on, options }) {
  const size = pixels(on.scaled_width, on.scaled_height);
  if (on.scale_x !== 1 || on.scale_y !== 1) {
    const share = on.scale_x === on.scale_y ? percent(on.scale_x) : `${percent(on.scale_x)} by ${percent(on.scale_y)}`;
    return `To ${size}, ${share} of its size.`;
  }
  if (!options.some(({ stage }) => stage === "scale")) return "";
  const small = on.scaled_width < on.target_width || on.scaled_height < on.target_height;
  return `Stays ${size}${small ? ": it is not enlarged" : ""}.`;
}

function cut({ layout: on, options, gravity }) {
  const [width, height] = [on.fit_width || on.scaled_width, on.fit_height || on.scaled_height];
  if (width < on.scaled_width || height < on.scaled_height) return `To ${pixels(width, height)}, keeping ${kept(gravity)}.`;
  return options.some(({ stage }) => stage === "fit") ? "Nothing is left over to be cut off." : "";
}

export class Happens {
  constructor(node, catalog) {
    this.catalog = catalog;
    this.list = make("ol", { className: "steps" });
    this.blank = make("p", { className: "quiet blank" }, NOTHING_YET);
    this.canonical = make("code");
    this.more = make("details", { className: "canonical", hidden: true }, make("summary", {}, "Canonical text"), this.canonical);
    node.append(this.blank, this.list, this.more);
  }

  clear(why = NOTHING_YET) {
    this.list.replaceChildren();
    this.blank.textContent = why;
    this.more.hidden = true;
    this.blank.hidden = false;
  }

  /** Tell of an explanation; `result` is the format that came. */
  tell(explanation, result) {
    const { source_image: image, delivery } = explanation;
    const gravity = explanation.options.find(({ name }) => name === "gravity")?.fields.gravity;
    const steps = [this.step("Read", readText(image), [])];
    for (const { name } of this.catalog.stages) {
      const options = explanation.options.filter(({ stage }) => stage === name);
      const laid = LAID_OUT[name]?.({ ...explanation, gravity }) ?? "";
      const text = name === "encode" ? encodeText(explanation, result) : laid || this.briefs(options);
      if (text) steps.push(this.step(TITLES[name] ?? name, text, options));
    }
    if (delivery.length) steps.push(this.step("Send", this.briefs(delivery), delivery));
    this.list.replaceChildren(...steps);
    this.canonical.textContent = explanation.canonical;
    this.more.hidden = false;
    this.blank.hidden = true;
  }

  step(title, text, options) {
    const tags = options.map(({ text: written }) => make("code", { title: written }, written));
    const node = make("li", {}, make("strong", {}, title), make("span", { className: "text" }, ...marked(text)));
    if (tags.length) node.append(make("span", { className: "tags" }, ...tags));
    return node;
  }

  briefs(options) {
    const told = options.map(({ name }) => this.catalog.options.get(name)?.brief ?? "");
    return [...new Set(told)].join(" ");
  }
}

function readText({ format, bytes: count, width, height, animated }) {
  return `${formatName(format)}, ${pixels(width, height)}, ${bytes(count)}${animated ? ", animated" : ""}.`;
}

function encodeText({ negotiated, options, layout }, result) {
  const asked = options.some(({ name }) => name === "format");
  const liked = [...negotiated.enforced, ...negotiated.preferred].includes(result);
  const why = asked ? ", as the URL says" : liked ? ", as the client reads it" : "";
  return `${pixels(layout.result_width, layout.result_height)} as ${formatName(result)}${why}.`;
}
