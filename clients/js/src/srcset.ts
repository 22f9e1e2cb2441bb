// The attributes of a plain <img>: srcset and all that goes with it.
import { type Lqip, placeholder, type PlaceholderSettings } from "./placeholder.js";
import type { Signer } from "./signer.js";
import { tokenOf } from "./token.js";
import { OptionError } from "./errors.js";
import { type Sizing, type Steps, stepsOf, widthsFor } from "./widths.js";

export interface SrcSetSettings<Preset extends string = string> extends Sizing {
  widths: readonly number[];
  presets?: readonly Preset[] | undefined;
  quality?: number | undefined;
  base64?: boolean | undefined;
  /** `token`: one signature, widths in the query string; `urls`: a signature for each width. */
  mode?: "token" | "urls" | undefined;
}

/** Give the `srcset` of a picture in these widths; throws OptionError. */
export async function srcset<Preset extends string>(
  signer: Signer<Preset>,
  source: string,
  settings: SrcSetSettings<NoInfer<Preset>>,
): Promise<string> {
  const steps = stepsOf(settings, settings.widths);
  const urls = await urlsOf(signer, source, steps, settings);
  return steps.steps.map((step, at) => `${urls[at]} ${step.px}w`).join(", ");
}

export interface ImageSettings<Preset extends string = string> extends Omit<SrcSetSettings<Preset>, "widths"> {
  widths?: readonly number[] | undefined;
  /** How wide the picture is shown, as the attribute `sizes`. */
  sizes?: string | undefined;
  /** `blur`: also ask the server for a tiny picture to show while the right one loads. */
  placeholder?: "blur" | "empty" | undefined;
  /** How to ask for the placeholder. */
  fetch?: PlaceholderSettings["fetch"];
}

export interface ImageProps {
  src: string;
  srcSet: string;
  sizes?: string;
  width?: number;
  height?: number;
  /** A tiny picture as a `data:` URL, with `placeholder: "blur"`. */
  blurDataURL?: string;
}

/**
 * Give the attributes of an `<img>`; what is not known here (`alt`, `loading` …) is handed through.
 *
 * With `widths` or `sizes` the browser chooses by width, else between `width` and twice that for dense screens. Throws
 * OptionError; a placeholder that cannot be had is left out.
 */
export async function imageProps<Preset extends string, Rest extends object = object>(
  signer: Signer<Preset>,
  source: string,
  settings: ImageSettings<NoInfer<Preset>> & Rest,
): Promise<ImageProps & Omit<Rest, keyof ImageSettings>> {
  const {
    width,
    height,
    widths,
    sizes,
    quality,
    placeholder: blur,
    options,
    presets,
    mode,
    base64,
    fetch,
    ...rest
  } = settings;
  const isFluid = widths !== undefined || sizes !== undefined;
  if (!isFluid && width === undefined) throw new OptionError("width", "nothing", "a width, or widths, or sizes");
  const steps = stepsOf(settings, isFluid ? (widths ?? widthsFor(sizes!)) : [width!, 2 * width!]);
  const [urls, lqip] = await Promise.all([
    urlsOf(signer, source, steps, settings),
    blur === "blur" ? lqipOf(signer, source, { fetch, base64 }) : undefined,
  ]);
  const shown = sizes ?? (isFluid && width !== undefined ? `(max-width: ${width}px) 100vw, ${width}px` : undefined);
  const candidates = steps.steps.map((step, at) => `${urls[at]} ${isFluid ? `${step.px}w` : `${at + 1}x`}`);
  return {
    ...rest,
    src: urls.at(-1)!,
    srcSet: candidates.join(", "),
    ...(shown !== undefined && { sizes: shown }),
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(lqip && { blurDataURL: lqip.blurDataURL }),
  } as ImageProps & Omit<Rest, keyof ImageSettings>;
}

/** Nothing to show meanwhile is no reason not to show the picture. */
async function lqipOf(signer: Signer, source: string, settings: PlaceholderSettings): Promise<Lqip | undefined> {
  try {
    return await placeholder(signer, source, settings);
  } catch {
    return undefined;
  }
}

async function urlsOf<Preset extends string>(
  signer: Signer<Preset>,
  source: string,
  steps: Steps,
  settings: Omit<SrcSetSettings<Preset>, "widths">,
): Promise<string[]> {
  const { mode = "token", quality, presets, base64 } = settings;
  const options = quality === undefined ? steps.options : { ...steps.options, quality };
  if (mode === "urls") {
    const each = steps.steps.map(({ value }) =>
      signer.url(source, { ...options, [steps.by]: value }, { presets, base64 }),
    );
    return Promise.all(each);
  }
  const signed = await tokenOf(signer, source, { ...steps, options }, { presets, base64 });
  return steps.steps.map(({ value }) => `${signed}?${steps.by}=${value}`);
}
