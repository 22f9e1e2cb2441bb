// Made by `npm run generate` from presets/: change it there, not here.

/** Presets that come with every server. */
export interface ShippedPresets {
  /** The object alone: its background transparent, cut to it with a margin of 50 source pixels */
  "bg-removed": true;
  /** Small for the web: inside 1920x1080, quality 80, in the best format that the client accepts */
  "compress": true;
  /** The large picture of a product page: the whole of it, inside 1200x800 */
  "detail": true;
  /** A tile of a product grid: exactly 600x400, cut to the most interesting part */
  "grid": true;
  /** 1200 pixels wide, as high as it comes */
  "large": true;
  /** 600 pixels wide, as high as it comes */
  "medium": true;
  /** The picture as it is, at most 4096 pixels on its longest side */
  "original": true;
  /** A soft drop shadow under a picture with transparency; width and height include it */
  "shadow": true;
  /** A square of exactly 150x150 for lists and carts, cut to the most interesting part */
  "thumbnail": true;
}

export type ShippedPreset = keyof ShippedPresets;
