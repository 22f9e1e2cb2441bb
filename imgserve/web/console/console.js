// The console: its key, what is shown, and the loop that keeps it up to date.

import { Api } from "./api.js";
import { Detail } from "./detail.js";
import { byId, say, show } from "./dom.js";
import { ApiError } from "./errors.js";
import { Gate } from "./gate.js";
import { List } from "./list.js";
import { Order } from "./order.js";
import { Panel } from "./panel.js";
import { showProviders } from "./providers.js";
import { Pulse } from "./pulse.js";
import { Streams } from "./streams.js";
import { STATES, title } from "./words.js";

const POLL_MS = 2000;
const LONGEST_POLL_MS = 30_000;
const LOOK_MS = 30_000; // between two looks at the capabilities
const PAGE = 50;
const MOST_FOLLOWED = 200; // jobs of the list that each poll asks for anew; older ones change no more
const STREAMS = 3; // a browser has six connections to a host, and pictures need some

const state = {
  api: null,
  filter: "",
  jobs: [],
  counts: {},
  next: null,
  // Id of the job that the panel shows.
  chosen: "",
  providers: null,
  // What was told last of a job, and when.
  told: new Map(),
  loaded: false,
  lookedAt: 0,
  failures: 0,
};
let timer;
let round = new AbortController();
const gate = new Gate(enter);
const streams = new Streams(told);
const panel = new Panel();
const pulse = new Pulse();

const list = new List({
  rows: byId("rows"),
  table: byId("table"),
  empty: byId("empty"),
  tabs: byId("tabs"),
  more: byId("more"),
  open: toggle,
  act,
  filter,
  loadMore,
});

// ---- The key

function begin() {
  if (gate.key) enter(gate.key);
  else askForKey("");
}

function askForKey(reason) {
  leave();
  gate.ask(reason);
}

/** Forget all that is shown: another person may look next. */
function leave() {
  clearTimeout(timer);
  round.abort();
  gate.forget();
  Object.assign(state, {
    api: null,
    jobs: [],
    counts: {},
    next: null,
    chosen: "",
    loaded: false,
    lookedAt: 0,
    failures: 0,
  });
  state.told.clear();
  followSome();
  closePanel();
  list.render({ jobs: [], counts: null, state: "", more: false, now: 0 });
  pulse.tell(null);
  say(byId("version"), "");
  for (const id of ["room", "session"]) show(byId(id), false);
}

function enter(key) {
  gate.keep(key);
  state.api = new Api(key);
  for (const id of ["room", "session"]) show(byId(id), true);
  const wanted = new URLSearchParams(location.hash.slice(1));
  state.filter = STATES.includes(wanted.get("state")) ? wanted.get("state") : "";
  list.await(state.filter);
  if (wanted.get("job")) open(wanted.get("job"), { focus: false });
  else if (!panel.covers) openOrder({ focus: false });
  poll();
}

byId("forget").addEventListener("click", () => askForKey(""));

// ---- The loop

async function poll() {
  clearTimeout(timer);
  round.abort();
  const { signal } = (round = new AbortController());
  if (!state.api || document.hidden) return;
  const { api } = state;
  const began = Date.now();
  try {
    if (began - state.lookedAt > LOOK_MS) await look(signal);
    const limit = Math.min(MOST_FOLLOWED, Math.max(PAGE, state.jobs.length));
    take(await api.jobs({ state: state.filter, limit }, signal), began, limit);
    state.failures = 0;
    pulse.fresh();
  } catch (error) {
    if (signal.aborted || api !== state.api) return;
    if (!fail(error)) return;
  }
  const rest = Math.max(POLL_MS, api.pace, pulse.resumeAt - Date.now());
  timer = setTimeout(poll, rest);
  tick();
}

async function look(signal) {
  const told = await state.api.capabilities(signal);
  state.lookedAt = Date.now();
  state.providers = told.providers;
  say(byId("version"), told.version);
  showProviders({ strip: byId("providers"), notes: byId("provider-notes") }, told.providers);
  if (panel.content instanceof Order) panel.content.offer(told.providers);
}

/** Take a page of jobs; what a stream has told since it was asked for is younger. */
function take(page, began, limit) {
  const fresh = page.jobs.map((job) => (state.told.get(job.id)?.at > began ? state.told.get(job.id).job : job));
  const there = new Set(fresh.map((job) => job.id));
  const older = state.jobs.length > limit ? state.jobs.slice(limit).filter((job) => !there.has(job.id)) : [];
  if (!older.length) state.next = page.next;
  if (state.loaded) announce(fresh);
  state.jobs = [...fresh, ...older];
  state.counts = page.counts;
  state.loaded = true;
  render();
  const chosen = fresh.find((job) => job.id === state.chosen);
  if (chosen) told(chosen);
  followSome();
}

function render() {
  const { jobs, counts, filter, chosen, next, api } = state;
  list.render({ jobs, counts, state: filter, chosen, more: Boolean(next), now: api.now() });
}

/** Note a failure; false where only a person can mend it. */
function fail(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401 || error.status === 403) {
    askForKey(error.message);
    return false;
  }
  state.failures += 1;
  const wait = error.retryAfter * 1000 || Math.min(LONGEST_POLL_MS, POLL_MS * 2 ** (state.failures - 1));
  pulse.tell(error, { shown: state.loaded, waitMs: wait });
  return true;
}

/** Say what changes by itself: ages, and when the server is asked again. */
function tick() {
  if (!state.api) return;
  const now = state.api.now();
  list.tick(now);
  if (panel.content instanceof Detail) panel.content.tell(now);
  pulse.tick(state.loaded);
}

setInterval(tick, 1000);
byId("again").addEventListener("click", poll);
addEventListener("online", poll);
document.addEventListener("visibilitychange", () => {
  poll();
  followSome();
});

// ---- Following single jobs

/** Follow the opened job and the first that run; the others are told of by polls. */
function followSome() {
  const running = state.jobs.filter((job) => job.state === "running").map((job) => job.id);
  const open = panel.content instanceof Detail && panel.content.mayChange ? [state.chosen] : [];
  const wanted = state.api && !document.hidden ? [...open, ...running].slice(0, STREAMS) : [];
  streams.follow(wanted, state.api);
}

/** Take what was told of one job. */
function told(job) {
  const now = state.api.now();
  state.told.set(job.id, { job, at: Date.now() });
  const at = state.jobs.findIndex((one) => one.id === job.id);
  if (at >= 0) {
    const before = state.jobs[at].state;
    if (before !== job.state) {
      announce([job]);
      const count = (name) => state.counts[name] ?? 0;
      state.counts = { ...state.counts, [before]: Math.max(0, count(before) - 1), [job.state]: count(job.state) + 1 };
    }
    state.jobs[at] = job;
    if (before === job.state) list.update(job, { now, chosen: state.chosen });
    else render();
  }
  if (job.id === state.chosen && panel.content instanceof Detail) panel.content.update(job, now);
}

// ---- What people do

function filter(name) {
  if (name === state.filter && state.loaded) return;
  Object.assign(state, { filter: name, jobs: [], next: null, loaded: false });
  list.await(name);
  remember();
  poll();
}

async function loadMore() {
  const { next, filter: wanted, api } = state;
  const more = byId("more");
  if (!next || more.ariaDisabled === "true") return;
  more.ariaDisabled = "true";
  try {
    const page = await api.jobs({ state: wanted, limit: PAGE, after: next });
    if (api !== state.api || wanted !== state.filter || next !== state.next) return;
    const there = new Set(state.jobs.map((job) => job.id));
    const added = page.jobs.filter((job) => !there.has(job.id));
    state.jobs = [...state.jobs, ...added];
    state.next = page.next;
    render();
    news(`${added.length} more jobs.`);
    // Its button may be gone.
    if (!page.next && added.length) list.focus(added[0].id);
  } catch (error) {
    if (api === state.api) fail(error);
  } finally {
    more.ariaDisabled = "false";
  }
}

/** Cancel a job, or begin it anew. */
async function act(what, job) {
  const { api } = state;
  try {
    const changed = await api[what](job.id);
    if (api !== state.api) return;
    told(changed);
    news(what === "cancel" ? `Cancelled: ${title(job)}.` : `Begun anew: ${title(job)}.`);
    poll();
  } catch (error) {
    if (api !== state.api) return;
    // It may have ended meanwhile, which the list then shows.
    if (error.status === 409) poll();
    else fail(error);
    news(error.message);
  }
}

function toggle(id) {
  if (id === state.chosen) closePanel();
  else open(id);
}

function open(id, { focus = true } = {}) {
  state.chosen = id;
  const detail = new Detail(id, { act, close: closePanel, news });
  const known = state.jobs.find((job) => job.id === id);
  if (known) detail.update(known, state.api.now());
  else fetchJob(detail);
  setPanel(detail, focus);
  followSome();
}

async function fetchJob(detail) {
  try {
    const job = await state.api.job(detail.id);
    if (panel.content === detail) told(job);
  } catch (error) {
    if (panel.content === detail) detail.fail(error);
  }
}

function openOrder({ focus = true } = {}) {
  state.chosen = "";
  const order = new Order({ send: (body) => state.api.order(body), close: closePanel, ordered });
  if (state.providers) order.offer(state.providers);
  setPanel(order, focus);
}

function ordered(jobs) {
  if (!state.api) return;
  const [first] = jobs;
  const count = jobs.length === 1 ? "One job is" : `${jobs.length} jobs are`;
  news(first.state === "done" ? "It was made before." : `${count} ordered.`);
  if (state.filter && state.filter !== first.state) filter("");
  else poll();
  open(first.id);
  told(first);
}

function setPanel(content, focus) {
  panel.show(content);
  list.choose(state.chosen);
  remember();
  if (focus) content.first.focus({ preventScroll: !panel.covers });
}

function closePanel() {
  const { chosen } = state;
  const { content, focused } = panel;
  state.chosen = "";
  panel.show(null);
  list.choose("");
  if (!state.api) return;
  remember();
  followSome();
  // Where there is room for it, the form is what the panel shows otherwise.
  if (content instanceof Detail && !panel.covers) openOrder({ focus: false });
  if (focused && !(chosen && list.focus(chosen))) byId("new-job").focus();
}

addEventListener("hashchange", () => state.api && begin());
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which job is shown
  byId("jobs").focus();
});
byId("new-job").addEventListener("click", () => openOrder());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && panel.content && !event.defaultPrevented) closePanel();
});

/** Keep what is shown in the address, so that a reload and a link show it again. */
function remember() {
  const query = new URLSearchParams();
  if (state.filter) query.set("state", state.filter);
  if (state.chosen) query.set("job", state.chosen);
  history.replaceState(null, "", query.size ? `#${query}` : location.pathname + location.search);
}

// ---- For those who cannot see it

function announce(jobs) {
  const before = new Map(state.jobs.map((job) => [job.id, job.state]));
  const changed = jobs.filter((job) => before.has(job.id) && before.get(job.id) !== job.state);
  if (changed.length === 1) news(`${title(changed[0])}: ${changed[0].state}.`);
  else if (changed.length) news(`${changed.length} jobs have changed.`);
}

function news(text) {
  byId("news").textContent = text;
}

begin();
