// A control for each kind of argument; all of them are { nodes, inputs, get, set } and tell of changes by `changed`.

import { make } from "./dom.js";
import { gravity } from "./gravity.js";
import { slider } from "./reach.js";

/** Make the control of a field; `id` is that of its input, `get` gives undefined where nothing is set. */
export function control(field, id, changed, pick) {
  const kinds = { integer: number, number, flag, choice, colour, gravity, classes: many, list: many, pairs };
  return (kinds[field.kind] ?? text)(field, id, changed, pick);
}

const trimmed = (input) => input.value.trim();

function line(id, changed, properties = {}) {
  const input = make("input", { id, type: "text", autocapitalize: "off", spellcheck: false, ...properties });
  input.addEventListener("input", changed);
  return input;
}

function text(field, id, changed) {
  const input = line(id, changed);
  return { nodes: [input], inputs: [input], get: () => trimmed(input) || undefined, set: (value) => setText(input, value) };
}

function setText(input, value) {
  input.value = value ?? "";
}

function number(field, id, changed) {
  const word = field.schema.oneOf?.find((one) => "const" in one)?.const;
  // Where a word is possible too, it is a text.
  const kind = word
    ? { type: "text", inputMode: "decimal", placeholder: `a number or ${word}` }
    : { type: "number", step: field.kind === "integer" ? (field.schema.multipleOf ?? 1) : "any", placeholder: field.default?.[0] };
  const input = line(id, () => follow(changed), { ...kind, className: "figure" });
  const range = slider(field, (value) => {
    input.value = value;
    changed();
  });
  const follow = (then) => {
    range?.set(input.value === "" ? undefined : Number(input.value));
    then?.();
  };
  const get = () => {
    const given = trimmed(input);
    return given === "" ? undefined : Number.isFinite(Number(given)) ? Number(given) : given;
  };
  const set = (value) => {
    setText(input, value);
    follow();
  };
  return { nodes: [...(range ? [range.node] : []), input], inputs: [input], get, set };
}

function choice(field, id, changed) {
  const spellings = field.spellings ?? {};
  const words = field.schema.enum.filter((word) => !(word in spellings));
  const options = words.map((word) => make("option", { value: word }, word));
  const select = make("select", { id }, make("option", { value: "" }, "not set"), ...options);
  select.addEventListener("change", changed);
  const set = (value) => setText(select, spellings[value] ?? value);
  return { nodes: [select], inputs: [select], get: () => select.value || undefined, set };
}

function flag(field, id, changed) {
  const values = [undefined, false, true];
  const inputs = values.map((value, at) =>
    make("input", { type: "radio", name: id, id: at ? `${id}-${at}` : id, checked: value === undefined }),
  );
  for (const input of inputs) input.addEventListener("change", changed);
  const words = ["–", "No", "Yes"];
  const labels = inputs.map((input, at) =>
    make("label", { for: input.id }, input, make("span", { "aria-hidden": "true" }, words[at])),
  );
  ["Not set", "No", "Yes"].forEach((word, at) => inputs[at].setAttribute("aria-label", `${field.label}: ${word}`));
  return {
    nodes: [make("div", { className: "segments", role: "radiogroup", "aria-labelledby": `${id}-label` }, ...labels)],
    inputs,
    isGroup: true,
    get: () => values[inputs.findIndex((input) => input.checked)],
    set: (value) => {
      inputs[Math.max(0, values.indexOf(value))].checked = true;
    },
  };
}

function colour(field, id, changed) {
  const input = line(id, () => follow(changed), { placeholder: field.default?.[0] ?? "hex", maxLength: 7, className: "hex" });
  const well = make("input", { type: "color", "aria-label": `${field.label}: pick` });
  well.addEventListener("input", () => {
    input.value = well.value.slice(1);
    follow(changed);
  });
  const box = make("span", { className: "well" }, well);
  const follow = (then) => {
    const digits = trimmed(input).replace(/^#/, "");
    const full = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
    box.classList.toggle("none", !digits);
    if (/^[0-9a-f]{6}$/i.test(full)) well.value = `#${full.toLowerCase()}`;
    then?.();
  };
  follow();
  const set = (value) => {
    setText(input, value);
    follow();
  };
  return { nodes: [box, input], inputs: [input], get: () => trimmed(input).replace(/^#/, "") || undefined, set };
}

const parts = (given) =>
  given
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);

function many(field, id, changed) {
  const example = field.kind === "classes" ? "face, dog" : (field.schema.items?.enum?.slice(0, 2).join(", ") ?? "one, two");
  const input = line(id, changed, { placeholder: example });
  const get = () => (parts(input.value).length ? parts(input.value) : undefined);
  return { nodes: [input], inputs: [input], get, set: (value) => setText(input, Array.isArray(value) ? value.join(", ") : value) };
}

/** Names and figures: "jpeg 75, webp 70". */
function pairs(field, id, changed) {
  const input = line(id, changed, { placeholder: "jpeg 75, webp 70" });
  const get = () => {
    const found = parts(input.value).map((one) => one.split(/[\s:=]+/));
    const table = Object.fromEntries(found.map(([name, value]) => [name, value && isFinite(value) ? Number(value) : (value ?? "")]));
    return found.length ? table : undefined;
  };
  const words = (value) => Object.entries(value ?? {}).map((pair) => pair.join(" "));
  return { nodes: [input], inputs: [input], get, set: (value) => setText(input, words(value).join(", ")) };
}

