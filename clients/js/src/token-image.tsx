"use client";
// The client half of <SignedImage>: functions such as loaders cannot come from the server, so this imports its own.
import NextImage, { type ImageProps } from "next/image.js";
import type { JSX } from "react";

import loader from "./loader.js";

/** Under Node.js itself, a default export of CommonJS arrives wrapped. */
const Image = ((NextImage as unknown as { default?: unknown }).default ?? NextImage) as (
  props: ImageProps,
) => JSX.Element;

/** next/image with a token as its `src`. */
export function TokenImage(props: Omit<ImageProps, "loader">): JSX.Element {
  return <Image {...props} loader={loader} />;
}
