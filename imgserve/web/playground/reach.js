// How far a slider goes, and what its places mean.

import { make } from "./dom.js";

// Where the catalog knows no bound, one that most pictures stay within.
const USUAL = {
  width: [0, 2000],
  height: [0, 2000],
  min_width: [0, 2000],
  min_height: [0, 2000],
  zoom_x: [0, 4],
  zoom_y: [0, 4],
  dpr: [0, 4],
  crop_width: [0, 1],
  crop_height: [0, 1],
  padding_top: [0, 200],
  padding_right: [0, 200],
  padding_bottom: [0, 200],
  padding_left: [0, 200],
  margin: [0, 200],
  size: [0, 100],
  rotate: [0, 270],
  max_bytes: [0, 500_000],
  // Of a watermark.
  scale: [0, 1],
};

const PLACES = 1000;
// Ranges wider than this, which the catalog gives, have what is used in their first part.
const WIDE = 100;

/** Make the slider of a number, null where no bounds are known. */
export function slider(field, moved) {
  const { schema } = field;
  const usual = USUAL[field.name];
  const low = schema.minimum ?? schema.exclusiveMinimum ?? usual?.[0];
  const high = schema.maximum ?? usual?.[1];
  if (low === undefined || high === undefined || schema.oneOf || high - low > 1e9) return null;
  const power = schema.maximum !== undefined && high - low > WIDE && field.kind === "number" ? 3 : 1;
  const from = low < 0 ? -PLACES : 0;
  const least = low < 0 ? 0 : low;
  const node = make("input", { type: "range", min: from, max: PLACES, step: 1, className: "reach" });
  node.setAttribute("aria-label", `${field.label}: slider`);
  const valueAt = (place) => {
    const share = Math.abs(place / PLACES) ** power;
    return rounded((least + (high - least) * share) * Math.sign(place || 1), field);
  };
  const placeOf = (value) => {
    const share = Math.min(1, Math.max(0, (Math.abs(value) - least) / (high - least)));
    return Math.round(share ** (1 / power) * PLACES) * (value < 0 ? -1 : 1);
  };
  const told = () => {
    node.style.setProperty("--done", `${(100 * (node.valueAsNumber - from)) / (PLACES - from)}%`);
    node.setAttribute("aria-valuetext", String(valueAt(node.valueAsNumber)));
  };
  const set = (value) => {
    node.classList.toggle("unset", value === undefined);
    node.value = placeOf(value ?? Number(field.default?.[0] ?? (low < 0 ? 0 : low)));
    told();
  };
  node.addEventListener("input", () => {
    node.classList.remove("unset");
    told();
    const value = valueAt(node.valueAsNumber);
    moved(schema.exclusiveMinimum === value ? 0.01 : value);
  });
  set(undefined);
  return { node, set };
}

function rounded(value, { kind, schema }) {
  const size = Math.abs(value);
  const step = kind === "integer" ? (schema.multipleOf ?? 1) : size < 2 ? 0.01 : size < 20 ? 0.1 : 1;
  return Number((Math.round(value / step) * step).toFixed(2));
}
