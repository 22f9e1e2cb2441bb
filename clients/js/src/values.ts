// The values that options have where a plain number, text or boolean says too little.

/** A format of pictures. */
export type Format = "jpeg" | "jpg" | "jxl" | "png" | "webp" | "gif" | "ico" | "svg" | "heic" | "avif" | "bmp" | "tiff";

/** 3 or 6 hex digits without `#`, or red, green and blue from 0 to 255. */
export type Colour = string | readonly [red: number, green: number, blue: number];

/** Classes of things that models find, such as `face` or `dog`; none = all of them. */
export type Classes = readonly string[];

/** A side or a corner: `no` is north, the top; `ce` is the centre. */
export type Compass = "ce" | "no" | "so" | "ea" | "we" | "noea" | "nowe" | "soea" | "sowe";

type Placed<Type extends string> = {
  type: Type;
  /** Offset from the side, in pixels, or below 1 a share; of `fp` the point, 0 to 1. */
  x?: number;
  y?: number;
};

type OfThings = {
  type: "obj" | "objw";
  /** Names, or how much each counts. */
  classes?: Classes | Readonly<Record<string, number>>;
};

/**
 * Where something sits: `"no"`, `"fp:0.5:0.3"` or `{ type: "fp", x: 0.5, y: 0.3 }`.
 *
 * `sm` is the most interesting part, `fp` a point, `obj` and `objw` what models find (`"obj:face"`).
 */
export type Gravity<More extends string = never> =
  | Compass
  | More
  | `${Compass | More}:${string}`
  | Placed<Compass | Exclude<More, "obj" | "objw">>
  | ("obj" extends More ? OfThings : never);
