// <SignedImage>: next/image for pictures that are signed on the server, without any configuration.
import type { ImageProps as NextImageProps } from "next/image.js";
import type { JSX } from "react";

import { blurOf } from "./blur.js";
import type { Signer } from "./signer.js";
import { token, type TokenSettings } from "./token.js";
import { TokenImage } from "./token-image.js";
import { widthsOfNextImage } from "./widths.js";

/** Props of next/image that a server component can give: functions stay on their side. */
type Passed = Omit<
  NextImageProps,
  "src" | "loader" | "width" | "height" | "quality" | "placeholder" | "onLoad" | "onError" | "onLoadingComplete" | "ref"
>;

export interface SignedImageProps<Preset extends string = string>
  extends Passed, Omit<TokenSettings<Preset>, "width" | "height" | "qualities"> {
  signer: Signer<Preset>;
  /** The source, as `signer.url` takes it. */
  src: string;
  /** With `height`: the picture is cropped to this ratio; neither with `fill`. */
  width?: number | undefined;
  height?: number | undefined;
  /** Of this picture; the server has its own for each format. */
  quality?: number | undefined;
  /** `blur` asks the server for a tiny picture, once in `revalidate` seconds. */
  placeholder?: "blur" | "empty" | undefined;
  /** Seconds for which a placeholder is known to Next.js. */
  revalidate?: number | undefined;
}

const A_DAY_S = 86_400;

/**
 * Show a picture by next/image: an async server component. It signs a token, and the browser chooses the width, among
 * those that next/image asks for with these props (`width`, `sizes`) or among `widths`.
 *
 * Throws OptionError where the server would refuse the options; a placeholder that cannot be had is left out.
 */
export async function SignedImage<Preset extends string>(props: SignedImageProps<Preset>): Promise<JSX.Element> {
  return <TokenImage {...await signedImageProps(props)} />;
}

/** What next/image is given, beside the loader: plain data without a secret. */
export type SignedProps = Omit<NextImageProps, "loader"> & { src: string };

/**
 * Give the props of next/image that `<SignedImage>` has, for a client component that renders it with `imgserve/loader`.
 *
 * Throws OptionError where the server would refuse the options; a placeholder that cannot be had is left out.
 */
export async function signedImageProps<Preset extends string>(props: SignedImageProps<Preset>): Promise<SignedProps> {
  const {
    signer,
    src,
    widths = widthsOfNextImage(props),
    options = {},
    presets,
    base64,
    quality,
    placeholder,
    revalidate = A_DAY_S,
    ...shown
  } = props;
  const all = quality === undefined ? options : { ...options, quality };
  const settings = { widths, options: all, presets, base64, width: shown.width, height: shown.height };
  const [signed, blurDataURL] = await Promise.all([
    token<string>(signer, src, settings),
    placeholder === "blur" && !shown.blurDataURL ? blurOf(signer, src, { base64, revalidate }) : shown.blurDataURL,
  ]);
  const blur = placeholder === "blur" && blurDataURL ? ({ placeholder, blurDataURL } as const) : {};
  return { ...(shown as Passed), ...blur, src: signed };
}
