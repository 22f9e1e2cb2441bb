// Made by `npm run generate` from docs/info.schema.json: change it there, not here.
import type { Classes, Gravity } from "../values.js";

/** Options of a URL of /info. Names as they stand in URLs work as well, short ones too. */
export interface InfoOptions extends InfoOptionsByOtherNames {
  /**
   * Use one or more presets, in the order given; options after it override what they set.
   *
   * In a URL: `preset:grid`.
   */
  preset?: readonly string[] | {
      /** names of presets */
      names: readonly string[];
    } | undefined;
  /**
   * `size`: bytes of the source.
   *
   * In a URL: `size:1`.
   */
  size?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
    } | undefined;
  /**
   * `format` and `mime_type`, by the content of the source and not by the name of the file.
   *
   * In a URL: `format:1`.
   */
  format?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
    } | undefined;
  /**
   * `width` and `height` as people see the picture, and the `orientation` (1 to 8, 1 = as stored) that EXIF gives.
   *
   * In a URL: `dimensions:1`.
   */
  dimensions?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
    } | undefined;
  /**
   * `exif`: what the camera wrote, where the picture was taken too.
   *
   * In a URL: `exif:1:1`.
   */
  exif?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
      /** names as in the standard (`DateTimeOriginal`), not for people. Default: 0 */
      canonical?: boolean | undefined;
    } | undefined;
  /**
   * `iptc`: captions, keywords and rights by the names of IPTC-IIM; `photoshop`: the resolution that it noted.
   *
   * In a URL: `iptc:1`.
   */
  iptc?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
    } | undefined;
  /**
   * `xmp`: what editors wrote, by namespace and name; of several languages the default one is told.
   *
   * In a URL: `xmp:1`.
   */
  xmp?: boolean | {
      /** whether to tell it. Default: 1 */
      enabled?: boolean | undefined;
    } | undefined;
  /**
   * `colorspace` of the pixels as they are stored: `srgb` (any RGB), `b-w`, `cmyk`, `rgb16`, `grey16`, `lab` …
   *
   * In a URL: `colorspace:1`.
   */
  colorspace?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `bands`: channels of the picture, alpha too.
   *
   * In a URL: `bands:1`.
   */
  bands?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `sample_format`: what a value of a channel is, `uchar` (8 bits), `ushort` (16 bits) or `float`.
   *
   * In a URL: `sample_format:1`.
   */
  sampleFormat?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `pages_number`: pages of a TIFF, frames of an animation, pictures in an AVIF; 1 for all others.
   *
   * In a URL: `pages_number:1`.
   */
  pagesNumber?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `hashsums` of the source's bytes in hex digits, by kind.
   *
   * In a URL: `calc_hashsums:md5:sha256`.
   */
  calcHashsums?: readonly ("md5" | "sha1" | "sha256" | "sha512")[] | {
      /** which ones */
      kinds: readonly ("md5" | "sha1" | "sha256" | "sha512")[];
    } | undefined;
  /**
   * `alpha`: whether there is an alpha channel; `transparency`, if asked for: whether any pixel is not opaque.
   *
   * In a URL: `alpha:1:1`.
   */
  alpha?: boolean | {
      /** whether to tell it */
      enabled: boolean;
      /** look at every pixel's alpha. Default: 0 */
      checkTransparency?: boolean | undefined;
      /** The same as `checkTransparency`. */
      check_transparency?: boolean | undefined;
    } | undefined;
  /**
   * `crop`: what the option `crop` of pictures would take, in shares of the upright picture.
   *
   * In a URL: `crop:600:400:sm`.
   */
  crop?: number | {
      /** 0 = the whole width, below 1 = a share of it, else source pixels. 0 or more */
      width: number;
      /** the same for the height; where both are 0 nothing is told. 0 or more. Default: 0 */
      height?: number | undefined;
      /** where to cut; `sm` looks for it. Default: ce */
      gravity?: Gravity<"sm" | "fp"> | undefined;
    } | undefined;
  /**
   * `palette`: colours (`R`, `G`, `B`, `A`) that stand for all visible ones, most frequent first.
   *
   * In a URL: `palette:6`.
   */
  palette?: number | {
      /** how many at most, 2 to 256; 0 = none. 0 to 256 */
      colors: number;
    } | undefined;
  /**
   * `average`: the average colour (`R`, `G`, `B`, `A`), each pixel counted as far as it is opaque.
   *
   * In a URL: `average:1`.
   */
  average?: boolean | {
      /** whether to tell it */
      enabled: boolean;
      /** alpha is the average of what is not fully transparent alone. Default: 1 */
      ignoreTransparent?: boolean | undefined;
      /** The same as `ignoreTransparent`. */
      ignore_transparent?: boolean | undefined;
    } | undefined;
  /**
   * `dominant_colors`: `vibrant`, `light_vibrant`, `dark_vibrant`, `muted`, `light_muted` and `dark_muted` (`R`, `G`, `B`), as far as the picture has them.
   *
   * In a URL: `dominant_colors:1`.
   */
  dominantColors?: boolean | {
      /** whether to tell it */
      enabled: boolean;
      /** make those that it does not have of the others. Default: 0 */
      buildMissed?: boolean | undefined;
      /** The same as `buildMissed`. */
      build_missed?: boolean | undefined;
    } | undefined;
  /**
   * `blurhash`: the text that BlurHash libraries decode to a blurred picture; transparent parts lie on white.
   *
   * In a URL: `blurhash:4:3`.
   */
  blurhash?: {
      /** detail across, 1 to 9; 0 = none. 0 to 9 */
      xComponents?: number | undefined;
      /** The same as `xComponents`. */
      x_components?: number | undefined;
      /** detail down, 1 to 9; 0 = none. 0 to 9 */
      yComponents?: number | undefined;
      /** The same as `yComponents`. */
      y_components?: number | undefined;
    } | undefined;
  /**
   * `thumb_hash`: the bytes that ThumbHash libraries decode to a blurred picture with alpha, as hex digits.
   *
   * In a URL: `thumb_hash:1`.
   */
  thumbHash?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `perceptual_hash`: 16 hex digits; the fewer bits of two differ, the more alike the pictures are.
   *
   * In a URL: `perceptual_hash:1`.
   */
  perceptualHash?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `lqip`: a tiny picture to show while the picture loads, and what a page has to know of the picture.
   *
   * `blurDataURL` is a WebP as a data URL, `width` and `height` are those of the source as people see it, and `widths` are those that next/image asks for by default and the source has.
   *
   * In a URL: `lqip:16`.
   */
  lqip?: number | {
      /** width of the tiny picture in pixels; 16 is enough for most. 1 to 64 */
      width: number;
    } | undefined;
  /**
   * `objects`: what things are where in the picture, each with its `class_name` and box.
   *
   * In a URL: `detect_objects:1`.
   */
  detectObjects?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `faces`: where faces are in the picture, a box each.
   *
   * In a URL: `faces:1`.
   */
  faces?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `text`: what is written in the picture (`text`), and where, a box each.
   *
   * In a URL: `text:1`.
   */
  text?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * `classify`: what the whole picture is of (`name`, `confidence`), most likely first.
   *
   * In a URL: `classify:3`.
   */
  classify?: number | {
      /** how many classes at most, 0 = none. 0 or more */
      topK?: number | undefined;
      /** The same as `topK`. */
      top_k?: number | undefined;
      /** tell only of these */
      classes?: Classes | undefined;
    } | undefined;
  /**
   * `nsfw`: how safe for work the picture is (`name`, `confidence`), in the classes of the model.
   *
   * In a URL: `nsfw:1`.
   */
  nsfw?: boolean | {
      /** whether to tell it */
      enabled: boolean;
    } | undefined;
  /**
   * Any text: it makes another URL of the same picture, for caches in front of the server.
   *
   * In a URL: `cachebuster:v2`.
   */
  cachebuster?: string | {
      /** any text. Default: empty */
      value?: string | undefined;
    } | undefined;
  /**
   * Tags that a purge, here or in a CDN, finds the picture by.
   *
   * In a URL: `cache_tags:sale:summer`.
   */
  cacheTags?: readonly string[] | {
      /** letters, digits and - _ . of ASCII, 64 at most each */
      tags: readonly string[];
    } | undefined;
  /**
   * The URL stops working at this time; the answer's freshness ends with it.
   *
   * In a URL: `expires:32503669200`.
   */
  expires?: number | {
      /** seconds since 1970 (Unix time), 0 or less = never. At most 253402300799 */
      timestamp: number;
    } | undefined;
  /**
   * Refuse a source whose bytes have another hash sum.
   *
   * In a URL: `hashsum:md5:cc507f81206a4c7d0a995a07c3d9f43a`.
   */
  hashsum?: "none" | "md5" | "sha1" | "sha256" | "sha512" | {
      /** kind of the sum; `none` checks nothing */
      type: "none" | "md5" | "sha1" | "sha256" | "sha512";
      /** the sum in hex digits. Default: empty */
      hashsum?: string | undefined;
    } | undefined;
  /**
   * Refuse sources with more pixels.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_src_resolution:25`.
   */
  maxSrcResolution?: number | {
      /** megapixels, 0 = no bound. 0 or more */
      megapixels: number;
    } | undefined;
  /**
   * Refuse sources with more bytes.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_src_file_size:10000000`.
   */
  maxSrcFileSize?: number | {
      /** bytes, 0 = no bound. 0 or more */
      sizeBytes?: number | undefined;
      /** The same as `sizeBytes`. */
      size_bytes?: number | undefined;
    } | undefined;
}

/** The same options by their other names. */
export interface InfoOptionsByOtherNames {
  /** Another name of {@link InfoOptions.preset}. */
  pr?: InfoOptions["preset"];
  /** Another name of {@link InfoOptions.size}. */
  s?: InfoOptions["size"];
  /** Another name of {@link InfoOptions.format}. */
  f?: InfoOptions["format"];
  /** Another name of {@link InfoOptions.dimensions}. */
  d?: InfoOptions["dimensions"];
  /** Another name of {@link InfoOptions.colorspace}. */
  cs?: InfoOptions["colorspace"];
  /** Another name of {@link InfoOptions.bands}. */
  b?: InfoOptions["bands"];
  /** Another name of {@link InfoOptions.sampleFormat}. */
  sample_format?: InfoOptions["sampleFormat"];
  /** Another name of {@link InfoOptions.sampleFormat}. */
  sf?: InfoOptions["sampleFormat"];
  /** Another name of {@link InfoOptions.pagesNumber}. */
  pages_number?: InfoOptions["pagesNumber"];
  /** Another name of {@link InfoOptions.pagesNumber}. */
  pn?: InfoOptions["pagesNumber"];
  /** Another name of {@link InfoOptions.calcHashsums}. */
  calc_hashsums?: InfoOptions["calcHashsums"];
  /** Another name of {@link InfoOptions.calcHashsums}. */
  chs?: InfoOptions["calcHashsums"];
  /** Another name of {@link InfoOptions.alpha}. */
  a?: InfoOptions["alpha"];
  /** Another name of {@link InfoOptions.crop}. */
  c?: InfoOptions["crop"];
  /** Another name of {@link InfoOptions.palette}. */
  p?: InfoOptions["palette"];
  /** Another name of {@link InfoOptions.average}. */
  avg?: InfoOptions["average"];
  /** Another name of {@link InfoOptions.dominantColors}. */
  dominant_colors?: InfoOptions["dominantColors"];
  /** Another name of {@link InfoOptions.dominantColors}. */
  dc?: InfoOptions["dominantColors"];
  /** Another name of {@link InfoOptions.blurhash}. */
  bh?: InfoOptions["blurhash"];
  /** Another name of {@link InfoOptions.thumbHash}. */
  thumb_hash?: InfoOptions["thumbHash"];
  /** Another name of {@link InfoOptions.thumbHash}. */
  th?: InfoOptions["thumbHash"];
  /** Another name of {@link InfoOptions.perceptualHash}. */
  perceptual_hash?: InfoOptions["perceptualHash"];
  /** Another name of {@link InfoOptions.perceptualHash}. */
  phash?: InfoOptions["perceptualHash"];
  /** Another name of {@link InfoOptions.perceptualHash}. */
  ph?: InfoOptions["perceptualHash"];
  /** Another name of {@link InfoOptions.detectObjects}. */
  detect_objects?: InfoOptions["detectObjects"];
  /** Another name of {@link InfoOptions.detectObjects}. */
  do?: InfoOptions["detectObjects"];
  /** Another name of {@link InfoOptions.classify}. */
  cl?: InfoOptions["classify"];
  /** Another name of {@link InfoOptions.cachebuster}. */
  cb?: InfoOptions["cachebuster"];
  /** Another name of {@link InfoOptions.cacheTags}. */
  cache_tags?: InfoOptions["cacheTags"];
  /** Another name of {@link InfoOptions.cacheTags}. */
  ct?: InfoOptions["cacheTags"];
  /** Another name of {@link InfoOptions.expires}. */
  exp?: InfoOptions["expires"];
  /** Another name of {@link InfoOptions.hashsum}. */
  hs?: InfoOptions["hashsum"];
  /** Another name of {@link InfoOptions.maxSrcResolution}. */
  max_src_resolution?: InfoOptions["maxSrcResolution"];
  /** Another name of {@link InfoOptions.maxSrcResolution}. */
  msr?: InfoOptions["maxSrcResolution"];
  /** Another name of {@link InfoOptions.maxSrcFileSize}. */
  max_src_file_size?: InfoOptions["maxSrcFileSize"];
  /** Another name of {@link InfoOptions.maxSrcFileSize}. */
  msfs?: InfoOptions["maxSrcFileSize"];
}
