// What the gallery, a client component, is given: signed URLs and tiny pictures as plain data, no secret among them.
import "server-only";

import { DEFAULT_WIDTHS } from "imgserve";
import { signedImageProps, type SignedProps } from "imgserve/react";

import { signer } from "@/lib/imgserve";
import type { View } from "@/lib/products";

export interface GalleryPicture {
  /** Props of next/image; its `src` is one signed URL for all widths, among which lib/loader.ts picks. */
  image: SignedProps;
  transparent: boolean;
  /** Leads to the whole source. */
  zoom: string;
}

export async function galleryPictures(views: readonly View[]): Promise<GalleryPicture[]> {
  return Promise.all(views.map(galleryPicture));
}

async function galleryPicture({ source, alt, options, transparent = false }: View): Promise<GalleryPicture> {
  const image = await signedImageProps({
    signer: signer(),
    src: source,
    alt,
    options,
    // Of one signed URL: the gallery shows it large, and small as well.
    widths: DEFAULT_WIDTHS,
    // The tiny picture is of the whole source: wrong for a close-up, and it would shine through transparency.
    placeholder: transparent || options?.crop ? "empty" : "blur",
  });
  return { image, transparent, zoom: `/img?${new URLSearchParams({ src: source, w: "2048" })}` };
}
