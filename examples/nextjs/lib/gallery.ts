// What the gallery, a client component, is given: signed URLs and tiny pictures as plain data, no secret among them.
import "server-only";

import { type Lqip, placeholder, token } from "imgserve";

import { signer } from "@/lib/imgserve";
import type { View } from "@/lib/products";

export interface GalleryPicture {
  /** One signed URL for all widths; lib/loader.ts picks. */
  src: string;
  alt: string;
  transparent: boolean;
  blurDataURL: string | undefined;
  /** Leads to the whole source. */
  zoom: string;
}

const A_DAY_S = 86_400;
const PATIENCE_MS = 3000;

export async function galleryPictures(views: readonly View[]): Promise<GalleryPicture[]> {
  return Promise.all(views.map(galleryPicture));
}

async function galleryPicture({ source, alt, options, transparent = false }: View): Promise<GalleryPicture> {
  // What is known is known of the whole source: it is wrong for a close-up.
  const facts = options?.crop ? undefined : await factsOf(source);
  return {
    // `widths` end at the source's own: nobody is offered 3840 pixels of a picture that has 1600.
    src: await token(signer(), source, { options, widths: facts?.widths }),
    alt,
    transparent,
    blurDataURL: transparent ? undefined : facts?.blurDataURL, // it would shine through
    zoom: `/img?${new URLSearchParams({ src: source, w: "2048" })}`,
  };
}

async function factsOf(source: string): Promise<Lqip | undefined> {
  // Next.js keeps the answer: imgserve is asked once a day and not for each visitor.
  const ask = (url: string) => fetch(url, { next: { revalidate: A_DAY_S }, signal: AbortSignal.timeout(PATIENCE_MS) });
  try {
    return await placeholder(signer(), source, { fetch: ask });
  } catch {
    return undefined; // nothing to show meanwhile is no reason not to show the picture
  }
}
