// The strip of providers: who does what here, and what is wrong or only basic about it.

import { make } from "./dom.js";
import { SUBJECTS } from "./words.js";

/** Say it all anew where it has changed. */
export function showProviders({ strip, notes }, providers) {
  const known = JSON.stringify(providers);
  if (strip.dataset.known === known) return;
  strip.dataset.known = known;
  const [there, missing] = [true, false].map((is) =>
    Object.entries(providers).filter(([, one]) => Boolean(one) === is),
  );
  strip.replaceChildren(...there.map(([task, one]) => chip(task, one)), ...missingChip(missing));
  const basic = there.filter(([, one]) => kind(one) === "basic");
  notes.replaceChildren(...basicNote(basic), ...there.flatMap(([task, one]) => note(task, one)));
}

const kind = (one) => (!one?.available ? "trouble" : one.basic ? "basic" : "ready");

function chip(task, one) {
  const state = kind(one);
  const word = { trouble: "cannot work", basic: "basic", ready: "" }[state];
  const details = [
    one.licence && `Licence: ${one.licence}`,
    one.max_pixels && `Up to ${(one.max_pixels / 1e6).toFixed(0)} megapixels`,
    one.timeout_s && `Ended after ${one.timeout_s} s`,
  ];
  const node = make(
    "li",
    { className: "chip", title: details.filter(Boolean).join("\n") },
    make("span", { className: "dot", "aria-hidden": "true" }),
    make("strong", {}, SUBJECTS[task] ?? task),
    make("span", {}, one.name),
    word ? make("span", { className: "word" }, word) : make("span", { className: "unseen" }, "ready"),
  );
  node.dataset.kind = state;
  return node;
}

/** Name what nobody does here, in one chip. */
function missingChip(missing) {
  if (!missing.length) return [];
  const named = missing.map(([task]) => SUBJECTS[task] ?? task).join(", ");
  const node = make(
    "li",
    { className: "chip" },
    make("span", { className: "dot", "aria-hidden": "true" }),
    `Not set up: ${named}`,
  );
  node.dataset.kind = "off";
  return [node];
}

function note(task, one) {
  const subject = SUBJECTS[task] ?? task;
  const out = [];
  const add = (name, sentence) => {
    const node = make("li", {}, make("strong", {}, `${subject}: `), sentence);
    node.dataset.kind = name;
    out.push(node);
  };
  if (!one.available) add("trouble", one.trouble ?? "It cannot work now.");
  if (one.remote) add("remote", `Pictures are sent to ${one.remote}.`);
  return out;
}

/** Say plainly what is only basic. */
function basicNote(basic) {
  if (!basic.length) return [];
  const named = basic.map(([task, one]) => `${SUBJECTS[task] ?? task} (${one.name})`).join(", ");
  const sentence = "work without a model file, and not as well as providers that have one.";
  const node = make("li", {}, make("strong", {}, `Basic providers are in use: ${named}. `), `They ${sentence}`);
  node.dataset.kind = "basic";
  return [node];
}
