// The URL as people use it: in a page, in a shell, and made by programs.

import { CLIENTS, brief } from "./recipe.js";

// Widths of pictures in pages, of which a srcset has those that fit.
const WIDTHS = [320, 640, 960, 1280, 1920, 2560];
const MOST_WIDTHS = 6;

// Options besides which the width of the result is another than that in the URL.
const OTHER_WIDTH = ["height", "min_height", "min_width", "dpr", "zoom"];

/**
 * Give what is left open to browsers, widths where all else follows them and else pixels a point: the values, their
 * descriptors in a srcset, and the size of the picture on the page. Null for what has one size: passed on as it is.
 */
export function choices({ options, layout }, { size, format }) {
  const option = (name) => options.find((one) => one.name === name);
  if (!size || format === "svg" || option("raw")) return null;
  if (OTHER_WIDTH.some(option)) {
    const dpr = option("dpr")?.fields.dpr ?? 1;
    const values = dpr === 1 ? [1, 2] : [1, dpr];
    const points = { width: Math.round(size.width / dpr), height: Math.round(size.height / dpr) };
    return { name: "dpr", values, descriptors: values.map((one) => `${one}x`), size: points };
  }
  const [, right, , left] = layout.padding;
  const padding = left + right;
  const width = option("width")?.fields.width || size.width - padding;
  // What the source has, of what the crop leaves of it.
  const whole = Math.round((size.width - padding) / Math.min(1, Math.max(layout.scale_x, layout.scale_y)));
  const most = Math.max(width, Math.min(whole, 2 * width));
  const others = WIDTHS.filter((one) => one !== width && one <= most).slice(-MOST_WIDTHS + 1);
  // Without a query the first one is what the URL gives.
  return { name: "w", values: [width, ...others], descriptors: [size.width, ...others.map((one) => one + padding)].map((one) => `${one}w`), size };
}

const html = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const python = (text) => JSON.stringify(text).replace(/[\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`);

export const WRITERS = {
  url: { word: "URL", write: ({ address }) => address },
  html: { word: "HTML", write: image },
  curl: { word: "curl", write: curl },
  js: { word: "JavaScript", write: javascript },
  python: { word: "Python", write: inPython },
};

function image({ address, token, chosen, size: whole }) {
  const size = chosen?.size ?? whole;
  const lines = [`src="${html(token ?? address)}"`];
  if (token) {
    const pairs = chosen.values.map((value, at) => [value, chosen.descriptors[at]]).sort(([one], [other]) => one - other);
    const set = pairs.map(([value, descriptor]) => `${html(token)}?${chosen.name}=${value} ${descriptor}`);
    lines.push(`srcset="${set.join(",\n          ")}"`);
    if (chosen.name === "w") lines.push(`sizes="(max-width: ${size.width}px) 100vw, ${size.width}px"`);
  }
  if (size) lines.push(`width="${size.width}" height="${size.height}"`);
  return `<img\n  ${lines.join("\n  ")}\n  alt="">`;
}

function curl({ address, recipe, format }) {
  const name = (recipe.source.split(/[/?#]/).findLast(Boolean) ?? "picture").replace(/\.[a-z0-9]+$/i, "");
  const file = `${name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^-+/, "") || "picture"}.${format === "jpeg" ? "jpg" : format || "img"}`;
  return `curl -H ${shell(`Accept: ${CLIENTS[recipe.client].accept}`)} \\\n  -o ${file} \\\n  ${shell(address)}`;
}

function javascript({ recipe, catalog, base, urls }) {
  const { presets } = recipe;
  const options = brief(recipe.options, catalog);
  const extra = [
    ...(urls.signature_size === 32 ? [] : [`  signatureSize: ${urls.signature_size},`]),
    ...(urls.separator === ":" ? [] : [`  separator: ${JSON.stringify(urls.separator)},`]),
  ];
  const more = [...(presets.length ? [`{ presets: ${table(presets)} }`] : [])];
  const given = [JSON.stringify(recipe.source), ...(Object.keys(options).length || more.length ? [lines(options)] : []), ...more];
  return [
    'import { createSigner } from "imgserve";',
    "",
    "const signer = createSigner({",
    "  key: process.env.IMGSERVE_KEY,",
    "  salt: process.env.IMGSERVE_SALT,",
    `  baseUrl: ${JSON.stringify(base)},`,
    ...extra,
    "});",
    `const url = await signer.url(\n  ${given.join(",\n  ")},\n);`,
  ].join("\n");
}

/** Print a value as JavaScript: names without quotes where they need none. */
function table(value) {
  if (Array.isArray(value)) return `[${value.map(table).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const inside = entries(value);
  return inside.length ? `{ ${inside.join(", ")} }` : "{}";
}

function entries(value) {
  const name = (text) => (/^[a-z_$][\w$]*$/i.test(text) ? text : JSON.stringify(text));
  return Object.entries(value).map(([key, one]) => `${name(key)}: ${table(one)}`);
}

/** Print several options on a line each. */
function lines(options) {
  const inside = entries(options);
  return inside.length > 1 ? `{\n${inside.map((one) => `    ${one},\n`).join("")}  }` : table(options);
}

function inPython({ recipe, catalog, base, urls }) {
  const options = Object.entries(brief(recipe.options, catalog));
  const named = options.map(([name, value]) => `    ${name.replaceAll("-", "_")}=${literal(value)},`);
  const presets = recipe.presets.length ? [`    presets=${literal(recipe.presets)},`] : [];
  const extra = [
    ...(urls.signature_size === 32 ? [] : [`    signature_size=${urls.signature_size},`]),
    ...(urls.separator === ":" ? [] : [`    arguments_separator=${python(urls.separator)},`]),
  ];
  return [
    "import os",
    "",
    "from imgserve.sign import UrlSigner",
    "",
    "signer = UrlSigner(",
    '    key=os.environ["IMGSERVE_KEY"],',
    '    salt=os.environ["IMGSERVE_SALT"],',
    `    base_url=${python(base)},`,
    ...extra,
    ")",
    "url = signer.url(",
    `    ${python(recipe.source)},`,
    ...presets,
    ...named,
    ")",
  ].join("\n");
}

function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return python(value);
  if (typeof value !== "object") return String(value);
  return `{${Object.entries(value)
    .map(([name, one]) => `${python(name)}: ${literal(one)}`)
    .join(", ")}}`;
}
