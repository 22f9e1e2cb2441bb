// What is to be known of a picture: that it is not quite what was asked for, and what can be had of basic providers.

const KNOWN = {
  grabcut: "It finds one object before a plain ground; landscapes and busy scenes need a model.",
  libvips: "It adds no detail; a model would.",
  cascade: "It finds upright faces that look into the camera; a model finds more.",
};

/** Say where a picture is another than what was asked for, "" = it is not. */
export function noteOf({ degraded, fallback }) {
  if (degraded) return `Shown without its AI step: ${degraded.replaceAll("_", " ")}.`;
  return fallback ? `This is the fallback picture: ${fallback.replaceAll("_", " ")}.` : "";
}

/** Give a sentence of the header's text, "" where no basic provider was at work. */
export function creditOf(provider) {
  // "grabcut; basic, onnx:u2net": what stands before a "; basic" is of one artefact.
  const parts = provider.split(/;\s*basic/).slice(0, -1);
  const basic = parts.flatMap((part) => part.split(",").map((name) => name.trim())).filter(Boolean);
  const named = basic.filter((name) => name in KNOWN);
  const names = [...new Set(named.length ? named : basic)];
  if (!names.length) return "";
  const many = names.length > 1 ? "providers" : "provider";
  return `Made by the basic ${many} ${names.join(" and ")}. ${names.map((name) => KNOWN[name] ?? "").join(" ")}`.trim();
}
