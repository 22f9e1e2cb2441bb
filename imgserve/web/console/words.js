// Jobs in words and figures for people.

export const STATES = ["queued", "running", "done", "failed", "cancelled"];

const NAMES = {
  background: "Remove background",
  upscale: "Upscale",
  faces: "Find faces",
  objects: "Find objects",
  text: "Read text",
  classify: "Classify",
  nsfw: "Check for NSFW",
};

/** Words of providers, which do what jobs ask. */
export const SUBJECTS = {
  ...NAMES,
  background: "Background",
  faces: "Faces",
  objects: "Objects",
  text: "Text",
  nsfw: "NSFW",
};

export const ended = (job) => job.state !== "queued" && job.state !== "running";

export const taskName = (task) => NAMES[task] ?? task;

export function title(job) {
  return job.asks
    .map(({ task, argument }) => taskName(task) + (argument ? ` ${argumentText(task, argument)}` : ""))
    .join(", ");
}

const argumentText = (task, argument) => (task === "upscale" ? `${argument}×` : argument);

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A share that is never more than it is; rounded before, as 0.57 * 100 is 56.99…  */
export const percent = (share) => `${Math.floor(Math.round(share * 1000) / 10)} %`;

/** A time in whole steps of the largest fitting unit. */
export function span(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export function ago(time, now) {
  const ms = now - Date.parse(time);
  if (ms < 5000) return "just now";
  return `${ms < 60_000 ? `${Math.floor(ms / 1000)} s` : span(ms)} ago`;
}

/** How long a job has been worked on, "" where nobody has. */
export function duration(job, now) {
  if (!job.started_at) return "";
  const end = job.ended_at ? Date.parse(job.ended_at) : now;
  // A job that was put back keeps the start of the try before.
  return job.state === "queued" ? "" : span(end - Date.parse(job.started_at));
}

export function exactTime(time) {
  return time ? new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
}

/** What there is to say of a job's way, in a few words. */
export function progressText(job, now) {
  const took = duration(job, now);
  if (job.state === "running") return `${percent(job.progress)}${took && ` · ${took}`}`;
  if (job.state === "done") return took && `took ${took}`;
  if (job.state === "failed") return job.error?.code.replaceAll("_", " ") ?? "";
  const wait = job.due_at ? Date.parse(job.due_at) - now : 0;
  if (job.state === "queued") return wait > 0 ? `again in ${span(wait)}` : "waits";
  return "";
}

export function factName(name) {
  return capital(
    name
      .replace(/_(s|ms|px)$/, "")
      .replace(/_bytes$/, "_size")
      .replaceAll("_", " "),
  );
}

export function factText(name, value) {
  if (typeof value !== "number") return String(value);
  if (/(^|_)bytes$/.test(name)) return bytes(value);
  if (name.endsWith("_ms")) return `${value.toLocaleString()} ms`;
  if (name === "seconds" || name.endsWith("_s")) return `${Number(value.toFixed(2)).toLocaleString()} s`;
  return value.toLocaleString(undefined, { maximumFractionDigits: 3 });
}

function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} KB` : `${(count / 1e6).toFixed(1)} MB`;
}
