// Figures and states of pictures in words for people.

import { make } from "./dom.js";

const FORMATS = { jpeg: "JPEG", png: "PNG", webp: "WebP", avif: "AVIF", gif: "GIF", svg: "SVG", tiff: "TIFF", jxl: "JPEG XL", "x-icon": "ICO", "vnd.microsoft.icon": "ICO", heic: "HEIC", bmp: "BMP" };
const CACHES = {
  miss: "made now",
  memory: "from memory",
  disk: "from disk",
  redis: "from Redis",
  s3: "from S3",
  coalesced: "made with another",
};

export const formatName = (format) => FORMATS[format] ?? format.toUpperCase();

export const cacheName = (cache) => CACHES[cache] ?? (cache ? `from ${cache}` : "not kept");

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  if (count < 99_950) return `${(count / 1000).toFixed(1)} KB`;
  return count < 999_500 ? `${Math.round(count / 1000)} KB` : `${(count / 1e6).toFixed(2)} MB`;
}

export const share = (part, whole) => (part < whole / 100 ? "under 1 %" : `${Math.round((100 * part) / whole)} %`);

export const ms = (time) => (time < 9.95 ? `${time.toFixed(1)} ms` : time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(2)} s`);

export const pixels = (width, height) => `${width} × ${height}`;

/** Give a text of the catalog as nodes: what stands between backticks is code. */
export const marked = (text) => text.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
