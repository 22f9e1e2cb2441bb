// Signed, responsive images from imgserve: what runs on servers and at build time.
export type { Choose, ChoiceValue } from "./choose.js";
export { ImgserveError, OptionError } from "./errors.js";
export type { InfoOptions } from "./generated/info.js";
export type { Options } from "./generated/options.js";
export type { ShippedPreset } from "./generated/presets.js";
export { type Lqip, placeholder, type PlaceholderSettings } from "./placeholder.js";
export { definePresets } from "./presets.js";
export { createSigner, type InfoExtras, type Signer, type SignerSettings, type UrlExtras } from "./signer.js";
export { type ImageProps, imageProps, type ImageSettings, srcset, type SrcSetSettings } from "./srcset.js";
export { token, type TokenSettings } from "./token.js";
export type { Classes, Colour, Compass, Format, Gravity } from "./values.js";
export { DEFAULT_WIDTHS, DEVICE_SIZES, IMAGE_SIZES, type Sizing } from "./widths.js";
