// The playground: its recipe, the picture that comes of it, and what is told of both.

import { Catalog } from "./catalog.js";
import { copier } from "./clipboard.js";
import { byId, make, say, show } from "./dom.js";
import { ApiError } from "./errors.js";
import { Facts } from "./facts.js";
import { Gate } from "./gate.js";
import { Happens } from "./happens.js";
import { creditOf, noteOf } from "./notes.js";
import { Options } from "./options.js";
import { original } from "./original.js";
import { Presets } from "./presets.js";
import { Preview } from "./preview.js";
import { CLIENTS, empty, order, read, write } from "./recipe.js";
import { Server, catalog as fetchCatalog, picture } from "./server.js";
import { choices } from "./snippets.js";
import { Source } from "./source.js";
import { Use, usable } from "./use.js";
import { Waiting } from "./waiting.js";

// Between the last change and its picture; holders of keys are counted.
const PAUSE_MS = 150;
const KEYED_PAUSE_MS = 350;
// A change is often followed by another: what is only told waits for it.
const SETTLED_MS = 350;

const state = { recipe: empty(), server: null, room: null, catalog: null, original: "" };
let round = new AbortController();
let timer;
const parts = {};
const waiting = new Waiting();

const news = (text) => say(byId("news"), text);
const gate = new Gate((key) => enter(key));

async function begin() {
  try {
    const told = await fetchCatalog();
    state.catalog = new Catalog(told);
    build();
    // In development no key is needed, but where a proxy passes the page on.
    if (told.development && (await enter(""))) return;
    if (gate.key) await enter(gate.key);
    else if (!told.development) gate.ask("");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    gate.ask(error.message);
  }
}

function build() {
  parts.preview = new Preview({ tools: byId("tools"), stage: byId("preview"), news });
  parts.facts = new Facts(byId("facts"));
  parts.happens = new Happens(byId("happens"), state.catalog);
  parts.use = new Use(byId("use"), { news });
  parts.source = new Source({ changed: (source, pause) => change({ source }, pause) });
  parts.presets = new Presets({ changed: (presets) => change({ presets }) });
  parts.options = new Options(state.catalog, {
    list: byId("groups"),
    search: byId("search"),
    found: byId("found"),
    resetAll: byId("reset-all"),
    changed: setOption,
    pick: (picked) => parts.preview.pick(picked),
  });
  parts.client = byId("client");
  parts.client.append(...Object.entries(CLIENTS).map(([value, { word }]) => make("option", { value }, word)));
  parts.client.addEventListener("change", () => change({ client: parts.client.value }));
  byId("share").append(copier("Copy link", () => location.href, (told) => news(told === "Copied." ? "Link to this recipe copied." : told)));
  byId("recipe").addEventListener("submit", (event) => event.preventDefault());
  byId("forget").addEventListener("click", leave);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address has the recipe
    byId("result").focus();
  });
  addEventListener("hashchange", () => state.server && open(read(location.hash, state.catalog)));
}

/** Show the room to whoever has this key, "" = none; gives whether the server agrees. */
async function enter(key) {
  const server = new Server(key);
  try {
    state.room = await server.room();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (key && error.where === "Authorization") gate.forget();
    gate.ask(error.message);
    return false;
  }
  state.server = server;
  if (key) gate.keep(key);
  show(byId("gate"), false);
  show(byId("room"), true);
  show(byId("forget"), Boolean(key));
  say(byId("version"), state.room.version);
  const samples = state.room.samples ?? [];
  parts.source.offer(samples);
  parts.presets.offer(state.room.presets);
  show(byId("options-part"), state.catalog.groups.length > 0);
  const recipe = read(location.hash, state.catalog);
  if (!recipe.source && samples.length && location.hash.length < 2) {
    // Something to see at once.
    recipe.source = samples[0].source;
    if (state.catalog.options.has("resize")) recipe.options = { resize: { type: "fit", width: 1000 } };
  }
  open(recipe);
  return true;
}

/** Forget all that is shown: another person may look next. */
function leave() {
  round.abort();
  clearTimeout(timer);
  gate.forget();
  // Nor is the way back to lead there.
  history.replaceState(null, "", location.pathname + location.search);
  location.reload();
}

// ---- The recipe

function open(recipe) {
  state.recipe = recipe;
  parts.source.set(recipe.source);
  parts.presets.set(recipe.presets);
  parts.options.set(recipe.options);
  parts.client.value = recipe.client;
  changed(0);
}

function change(what, pause) {
  Object.assign(state.recipe, what);
  changed(pause);
}

/** Note an option that was set or ("undefined") reset; the last one that was touched wins over those before. */
function setOption(name, table) {
  const { [name]: _, ...others } = name ? state.recipe.options : {};
  change({ options: table ? { ...others, [name]: table } : others });
}

function changed(pause = state.server.key ? KEYED_PAUSE_MS : PAUSE_MS) {
  const fragment = write(state.recipe, state.catalog);
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  clearTimeout(timer);
  waiting.clear();
  timer = setTimeout(makePicture, pause);
}

// ---- The picture

async function makePicture() {
  round.abort();
  const { signal } = (round = new AbortController());
  const { recipe, server } = state;
  if (!recipe.source) {
    blank();
    return;
  }
  const waited = waiting.waits;
  parts.preview.wait(true);
  showOriginal(recipe.source);
  try {
    state.signed = null;
    state.signed = await server.sign(order(recipe, state.catalog), signal, tooMany);
    blame(null);
    const made = await picture(state.signed.url, CLIENTS[recipe.client].accept, signal);
    await present(made, signal);
    if (!made.pending || !waited) timer = setTimeout(() => settle(signal), SETTLED_MS);
  } catch (error) {
    if (signal.aborted) return;
    fail(error, signal);
  } finally {
    if (!signal.aborted) parts.preview.wait(false);
  }
}

function clearTold() {
  credit("");
  parts.facts.clear();
  parts.use.tell(null);
  parts.happens.clear();
}

function blank() {
  blame(null);
  parts.preview.wait(false);
  state.original = "";
  for (const side of ["before", "after"]) parts.preview.show(side, null);
  parts.preview.tell({ blank: "Choose a picture, or paste the address of one." });
  clearTold();
}

async function present(made, signal) {
  const size = await parts.preview.show("after", made.blob);
  if (signal.aborted) return;
  state.made = { ...made, size };
  const first = !waiting.waits;
  const { note, again } = made.pending ? waiting.note(true) : { note: noteOf(made), again: false };
  const ready = made.pending ? "" : waiting.over();
  parts.preview.tell({ note });
  credit(made.provider);
  const sentence = parts.facts.tell(made, size);
  // What is only waited for is told once, and so is that it is not waited for any more.
  if (!made.pending || first || !again) news(`${ready}${sentence} ${note} ${creditOf(made.provider)}`.trim());
  parts.use.tell(usable(state));
  if (again) comeAgain(made.retryMs, signal);
}

function credit(provider) {
  const text = creditOf(provider);
  say(byId("credit"), text);
  show(byId("credit"), Boolean(text));
}

/** Ask again for a picture whose AI step was not ready. */
function comeAgain(waitMs, signal) {
  setTimeout(() => !signal.aborted && makePicture(), waitMs);
}

function tooMany(seconds) {
  const note = `Too many requests in this minute. The picture comes by itself in ${seconds} s.`;
  parts.preview.tell({ note });
  news(note);
}

/** Tell what is known when nothing more changes: what happens, the time of a hit, and the URL of all sizes. */
async function settle(signal) {
  const { recipe, server, signed, made } = state;
  if (signal.aborted || !made || !recipe.source) return;
  const accept = CLIENTS[recipe.client].accept;
  let told = false;
  try {
    const waits = (seconds) => parts.happens.clear(`Too many requests in this minute. The steps come in ${seconds} s.`);
    const { explanation } = await server.sign({ ...order(recipe, state.catalog), explain: true, accept }, signal, waits);
    parts.happens.tell(explanation, made.format);
    parts.facts.source(explanation);
    told = true;
    if (made.cache && !made.pending) parts.facts.again(await picture(signed.url, accept, signal));
    const chosen = choices(explanation, made);
    if (!chosen) return;
    const { url } = await server.sign({ ...order(recipe, state.catalog), choose: { [chosen.name]: chosen.values } }, signal);
    parts.use.tell(usable(state, { token: new URL(url, location.origin).href, chosen }));
  } catch (error) {
    // What is told beside the picture is not worth an alarm: servers may permit presets alone, and no choices.
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    if (!told) parts.happens.clear(error.message);
  }
}

async function showOriginal(source) {
  if (state.original === source) return;
  state.original = source;
  try {
    const blob = await original(source, state);
    if (state.original === source) await parts.preview.show("before", blob);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    state.original = "";
    await parts.preview.show("before", null);
  }
}

// ---- What goes wrong

function fail(error, signal) {
  if (!(error instanceof ApiError)) throw error;
  if (error.code === "pending") {
    const first = !waiting.waits;
    const { note, again } = waiting.note(false);
    parts.preview.tell({ note });
    if (first || !again) news(note);
    if (again) comeAgain((error.retryAfter || 1) * 1000, signal);
    return;
  }
  // Pictures may want a secret, which is no mistake in the key.
  if (state.server.key && !state.signed && error.where === "Authorization") {
    show(byId("room"), false);
    gate.forget();
    gate.ask(error.message);
    return;
  }
  parts.preview.tell({ wrong: error.message, at: blame(error) });
  clearTold();
}

/** Say what is wrong where it is, null = nothing is; gives what leads to the option that it is about. */
function blame(error) {
  const where = error?.where ?? "";
  const ofSource = where === "source" || (error?.code ?? "").startsWith("source_");
  parts.source.blame(ofSource ? error.message : "");
  parts.presets.blame(/^preset/.test(where) ? error.message : "");
  return parts.options.blame(where, error?.message ?? "");
}

begin();
