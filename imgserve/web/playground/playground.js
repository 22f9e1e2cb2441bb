// The playground: its recipe, the picture that comes of it, and what is told of both.

import { Catalog } from "./catalog.js";
import { copier } from "./clipboard.js";
import { byId, make, say, show } from "./dom.js";
import { ApiError } from "./errors.js";
import { Facts } from "./facts.js";
import { Gate } from "./gate.js";
import { Happens } from "./happens.js";
import { Options } from "./options.js";
import { Presets } from "./presets.js";
import { Preview } from "./preview.js";
import { CLIENTS, empty, order, read, write } from "./recipe.js";
import { Server, catalog as fetchCatalog, picture } from "./server.js";
import { choices } from "./snippets.js";
import { Source } from "./source.js";
import { Use } from "./use.js";

// Between the last change and its picture; holders of keys are counted.
const PAUSE_MS = 150;
const KEYED_PAUSE_MS = 350;
// A change is often followed by another: what is only told waits for it.
const SETTLED_MS = 350;
// Side of the original beside the result, of which nothing is to be seen but the picture.
const ORIGINAL_PX = 1600;
const ORIGINAL_QUALITY = 92;
// AI steps that take longer are not waited for by a page.
const MOST_WAITED = 600;

const state = { recipe: empty(), server: null, room: null, catalog: null, original: "", waited: 0 };
let round = new AbortController();
let timer;
const parts = {};

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
  parts.preview = new Preview({ tools: byId("tools"), stage: byId("preview") });
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
  parts.client = make("select", { id: "client" });
  parts.client.append(...Object.entries(CLIENTS).map(([value, { word }]) => make("option", { value }, word)));
  parts.client.addEventListener("change", () => change({ client: parts.client.value }));
  byId("tools").append(make("div", { className: "client" }, make("label", { for: "client" }, "Browser reads"), parts.client));
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
  state.waited = 0;
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
  parts.preview.wait(true);
  showOriginal(recipe.source);
  try {
    state.signed = null;
    state.signed = await server.sign(order(recipe, state.catalog), signal);
    blame(null);
    const made = await picture(state.signed.url, CLIENTS[recipe.client].accept, signal);
    await present(made, signal);
    if (!made.pending || state.waited === 1) timer = setTimeout(() => settle(signal), SETTLED_MS);
  } catch (error) {
    if (signal.aborted) return;
    fail(error, signal);
  } finally {
    if (!signal.aborted) parts.preview.wait(false);
  }
}

function blank() {
  blame(null);
  parts.preview.wait(false);
  state.original = "";
  for (const side of ["before", "after"]) parts.preview.show(side, null);
  parts.preview.tell({ blank: "Choose a picture, or paste the address of one." });
  parts.facts.clear();
  parts.use.tell(null);
  parts.happens.clear();
}

async function present(made, signal) {
  const size = await parts.preview.show("after", made.blob);
  if (signal.aborted) return;
  state.made = { ...made, size };
  parts.preview.tell({ note: noteOf(made) });
  const sentence = parts.facts.tell(made, size);
  // What is only waited for is told once.
  if (!made.pending || !state.waited) news(`${sentence} ${noteOf(made)}`);
  useIt();
  if (made.pending) await comeAgain(made.retryMs, signal);
}

function noteOf({ pending, degraded, fallback }) {
  if (pending) return "An AI step is being worked on. Until it is ready, you see the picture without it.";
  if (degraded) return `Shown without its AI step: ${degraded.replaceAll("_", " ")}.`;
  return fallback ? `This is the fallback picture: ${fallback.replaceAll("_", " ")}.` : "";
}

/** Ask again for a picture whose AI step was not ready. */
async function comeAgain(waitMs, signal) {
  state.waited += 1;
  if (state.waited > MOST_WAITED) return;
  clearTimeout(timer);
  setTimeout(() => !signal.aborted && makePicture(), waitMs);
}

/** Tell what is known when nothing more changes: what happens, the time of a hit, and the URL of all sizes. */
async function settle(signal) {
  const { recipe, server, signed, made } = state;
  if (signal.aborted || !made || !recipe.source) return;
  const accept = CLIENTS[recipe.client].accept;
  let told = false;
  try {
    const { explanation } = await server.sign({ ...order(recipe, state.catalog), explain: true, accept }, signal);
    parts.happens.tell(explanation, made.format);
    parts.facts.source(explanation);
    told = true;
    if (made.cache && !made.pending) parts.facts.again(await picture(signed.url, accept, signal));
    const chosen = choices(explanation, made);
    if (!chosen) return;
    const { url } = await server.sign({ ...order(recipe, state.catalog), choose: { [chosen.name]: chosen.values } }, signal);
    useIt({ token: new URL(url, location.origin).href, chosen });
  } catch (error) {
    // What is told beside the picture is not worth an alarm: servers may permit presets alone, and no choices.
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    if (!told) parts.happens.clear(error.message);
  }
}

function useIt(more = {}) {
  const { recipe, signed, made, catalog, room } = state;
  const prefix = new URL(".", document.baseURI).pathname.replace(/\/$/, "");
  parts.use.tell({
    recipe: structuredClone(recipe),
    catalog,
    urls: room.urls,
    base: location.origin + prefix,
    address: new URL(signed.url, location.origin).href,
    size: made.size,
    format: made.format,
    ...more,
  });
}

async function showOriginal(source) {
  if (state.original === source) return;
  state.original = source;
  // Where URLs name presets alone, there is no way to it.
  if (!state.catalog.groups.length) return;
  const fitted = { resize: { type: "fit", width: ORIGINAL_PX, height: ORIGINAL_PX }, quality: ORIGINAL_QUALITY };
  const known = ["resize", "quality"].every((name) => state.catalog.options.has(name));
  try {
    const { url } = await state.server.sign({ source, ...(known ? { options: fitted } : {}) });
    const { blob } = await picture(url, CLIENTS.none.accept);
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
    parts.preview.tell({ note: "An AI step is being worked on. The picture comes when it is ready." });
    comeAgain((error.retryAfter || 1) * 1000, signal);
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
  parts.facts.clear();
  parts.use.tell(null);
  parts.happens.clear();
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
