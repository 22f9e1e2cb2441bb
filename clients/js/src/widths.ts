// Which widths a picture is offered in, and how a URL says each: by its width, or by a density of a fixed box.
import { OptionError } from "./errors.js";
import { OPTIONS } from "./generated/options-table.js";
import type { Options } from "./generated/options.js";
import { settingsOf } from "./options.js";

/** The widths that next/image asks for: its default `deviceSizes` … */
export const DEVICE_SIZES: readonly number[] = [640, 750, 828, 1080, 1200, 1920, 2048, 3840];
/** … and `imageSizes`. */
export const IMAGE_SIZES: readonly number[] = [32, 48, 64, 96, 128, 256, 384];

export const DEFAULT_WIDTHS: readonly number[] = [...IMAGE_SIZES, ...DEVICE_SIZES];

/** What decides how large a picture is. */
export interface Sizing {
  /** Width in CSS pixels; with `height`, of the box that the picture fills. */
  width?: number | undefined;
  /** Height in CSS pixels: the picture is cropped to this ratio at every width. */
  height?: number | undefined;
  /** Widths in pixels that the picture is offered in. */
  widths?: readonly number[] | undefined;
  options?: Options | undefined;
  presets?: readonly string[] | undefined;
}

export interface Step {
  /** How wide the picture is. */
  readonly px: number;
  /** What the option is for it. */
  readonly value: number;
}

export interface Steps {
  /** The option that differs from step to step. */
  readonly by: "w" | "dpr";
  /** All other options. */
  readonly options: Options;
  /** The narrowest first. */
  readonly steps: readonly Step[];
  /** The one that is shown where nobody picks. */
  readonly unpicked: Step;
}

/** Digits of a density behind the point: of a box 1000 pixels wide they are a tenth of a pixel. */
const DENSITY_DIGITS = 4;
/** Where no room says how wide a picture is shown: columns of pages and previews of links are no wider. */
const USUAL_PX = 1200;

/**
 * Give the options that make a picture in each of these widths.
 *
 * Where width and height are fixed, by arguments or options, steps are densities of that box (`dpr`), so that its ratio
 * holds at every width, and offsets and padding grow with it; else they are widths. Throws OptionError.
 */
export function stepsOf(sizing: Sizing, widths: readonly number[]): Steps {
  if (!widths.length) throw new OptionError("widths", widths, "one width or more");
  for (const px of widths) {
    if (!Number.isInteger(px) || px < 1) throw new OptionError("widths", px, "whole numbers of 1 or more");
  }
  const ascending = [...new Set(widths)].sort((one, other) => one - other);
  const box = boxed(sizing);
  if (box.height && !box.width) {
    throw new OptionError("height", box.height, "a width with it: both together are the ratio");
  }
  const density = (px: number) => Number((px / box.width).toFixed(DENSITY_DIGITS));
  const steps = ascending.map((px) => ({ px, value: box.height ? density(px) : px }));
  const unpicked = steps.find(({ px }) => px >= (box.width || USUAL_PX)) ?? steps.at(-1)!;
  if (!box.height) return { by: "w", options: sizing.options ?? {}, steps, unpicked };
  return { by: "dpr", options: box.options, steps, unpicked };
}

interface Box {
  width: number;
  height: number;
  options: Options;
}

function boxed({ width, height, options = {}, presets = [] }: Sizing): Box {
  // Later ones win, so what the arguments say comes last, even where the options have the same names.
  const { width: ofOptions, height: heightOfOptions, ...others } = options;
  const box = {
    ...((width ?? ofOptions) ? { width: width ?? ofOptions } : {}),
    ...((height ?? heightOfOptions) ? { height: height ?? heightOfOptions } : {}),
  };
  const settings = settingsOf(OPTIONS, { ...others, ...box });
  const side = (name: string) => Number(settings.get(name)?.[name]?.[0] ?? 0);
  // The default, `fit`, leaves the ratio as it is, and plain `fill` does where the source is too small.
  const isFree = height !== undefined && !settings.has("resizing_type") && !presets.length && !settings.has("preset");
  const fitting: Options = isFree ? { resizingType: "fill-down" } : {};
  return { width: side("width"), height: side("height"), options: { ...others, ...box, ...fitting } as Options };
}

/** Give the widths that next/image asks for with these props, of those that it has by default. */
export function widthsOfNextImage({ width, sizes }: { width?: number | undefined; sizes?: string | undefined }) {
  if (sizes) return widthsFor(sizes);
  if (width === undefined) return DEVICE_SIZES;
  return [width, 2 * width].map((px) => DEFAULT_WIDTHS.find((one) => one >= px) ?? DEFAULT_WIDTHS.at(-1)!);
}

/** Give the widths that a `sizes` attribute can ask for, as next/image finds them. */
export function widthsFor(sizes: string): readonly number[] {
  const shares = [...sizes.matchAll(/(?:^|\s)(1?\d?\d)vw/g)].map((found) => Number(found[1]) / 100);
  if (!shares.length) return DEFAULT_WIDTHS;
  const least = Math.min(...shares) * DEVICE_SIZES[0]!;
  return DEFAULT_WIDTHS.filter((width) => width >= least);
}
