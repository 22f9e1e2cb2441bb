// The picker of a gravity: nine places, a point in the picture, or what is found in it.

import { make, say, show } from "./dom.js";

const PLACES = ["nowe", "no", "noea", "we", "ce", "ea", "sowe", "so", "soea"];
const WORDS = {
  nowe: "top left",
  no: "top",
  noea: "top right",
  we: "left",
  ce: "centre",
  ea: "right",
  sowe: "bottom left",
  so: "bottom",
  soea: "bottom right",
};
const OTHERS = {
  sm: "most interesting part",
  fp: "a point",
  obj: "objects",
  objw: "objects by weight",
  prop: "as in the whole",
  re: "tiled",
};

// Others than places that have two numbers.
const OFFSET = ["fp", "re"];
const OF_A_PLACE = "Offsets from there: pixels, or below 1 a share.";
const OF_A_POINT = "Shares from the left and the top, 0 to 1.";

const typesOf = (schema) => schema.oneOf.flatMap((one) => one.properties?.type.enum ?? []);

export function gravity(field, id, changed, pick) {
  const types = typesOf(field.schema);
  const radios = PLACES.map((place) => {
    const radio = make("input", { type: "radio", name: id, value: place, id: place === "nowe" ? id : `${id}-${place}` });
    radio.setAttribute("aria-label", `${field.label}: ${WORDS[place]}`);
    radio.addEventListener("change", () => choose(""));
    return radio;
  });
  const grid = make("div", { className: "compass", role: "radiogroup", "aria-labelledby": `${id}-label` }, ...radios);
  const others = types.filter((type) => !PLACES.includes(type));
  const kind = make("select", { "aria-label": `${field.label}: by` }, make("option", { value: "" }, "by place"));
  kind.append(...others.map((type) => make("option", { value: type }, OTHERS[type] ?? type)));
  kind.addEventListener("change", () => choose(kind.value));
  const [x, y] = ["x", "y"].map((axis) => {
    const input = make("input", { type: "number", step: "any", placeholder: axis, className: "figure" });
    input.setAttribute("aria-label", `${field.label}: ${axis}`);
    input.setAttribute("aria-describedby", `${id}-offsets`);
    input.addEventListener("input", changed);
    return input;
  });
  const classes = make("input", { type: "text", spellcheck: false, autocapitalize: "off" });
  classes.setAttribute("aria-label", `${field.label}: classes, with weights behind them`);
  classes.addEventListener("input", changed);
  const picker = make("button", { type: "button", "aria-pressed": "false" }, "Pick in the picture");
  picker.addEventListener("click", () => {
    const begins = picker.getAttribute("aria-pressed") === "false";
    pick(begins ? { at: [shareOf(x), shareOf(y)], picked: point, pressed, back: picker } : null);
  });
  const pressed = (is) => picker.setAttribute("aria-pressed", is);
  const meaning = make("span", { className: "hint", id: `${id}-offsets` });
  const offsets = make("div", { className: "offsets" }, make("div", { className: "pair" }, x, y), meaning);

  /** Show what a type has; "" = a place. */
  function arrange(type) {
    kind.value = others.includes(type) ? type : "";
    if (kind.value) for (const radio of radios) radio.checked = false;
    // A number that no place takes would have no effect.
    show(offsets, kind.value ? OFFSET.includes(kind.value) : radios.some((radio) => radio.checked));
    say(meaning, kind.value === "fp" ? OF_A_POINT : OF_A_PLACE);
    show(classes, kind.value.startsWith("obj"));
    classes.placeholder = kind.value === "objw" ? "face 3, dog 1" : "face, dog";
    show(picker, types.includes("fp") && ["", "fp"].includes(kind.value));
  }

  function choose(type) {
    arrange(type);
    if (type === "fp" && !(x.value && y.value)) [x.value, y.value] = [0.5, 0.5];
    else if (type !== "fp") [x.value, y.value] = ["", ""];
    changed();
  }

  const shareOf = (input) => (kind.value === "fp" && input.value !== "" ? Number(input.value) : 0.5);

  function point(left, top) {
    [x.value, y.value] = [left.toFixed(2), top.toFixed(2)].map(Number);
    arrange("fp");
    changed();
  }

  function get() {
    const type = kind.value || radios.find((radio) => radio.checked)?.value;
    if (!type) return undefined;
    if (type.startsWith("obj")) return [type, ...classes.value.split(/[\s,:]+/).filter(Boolean)].join(":");
    const bare = offsets.hidden || !(x.value || y.value);
    return bare ? type : [type, x.value || 0, y.value || 0].join(":");
  }

  function set(value) {
    const text = typeof value === "object" && value ? [value.type, value.x, value.y].join(":") : String(value ?? "");
    const [type, ...rest] = text.split(":");
    for (const radio of radios) radio.checked = radio.value === type;
    arrange(type);
    [x.value, y.value, classes.value] = type.startsWith("obj") ? ["", "", rest.join(" ")] : [rest[0] ?? "", rest[1] ?? "", ""];
  }

  set(undefined);
  const beside = make("div", { className: "beside" }, ...(others.length ? [kind] : []), offsets, classes, picker);
  const node = make("div", { className: "gravity" }, grid, beside);
  return { nodes: [node], inputs: [...radios, kind, x, y, classes], isGroup: true, get, set };
}
