"use client";

import Image from "next/image";
import { useState } from "react";

import type { GalleryPicture } from "@/lib/gallery";

// As in globals.css: how wide the large picture and the small ones are.
const SIZES = "(min-width: 75rem) 40rem, (min-width: 56rem) 54vw, 92vw";
const THUMBNAIL_SIZES = "5rem";

interface Props {
  pictures: readonly GalleryPicture[];
  /** The shape of all of them: the page keeps its place when one takes another's. */
  width: number;
  height: number;
}

export function Gallery({ pictures, width, height }: Props) {
  const [at, setAt] = useState(0);
  const shown = pictures[at]!;
  return (
    <div className="gallery">
      <a
        className={shown.transparent ? "gallery-large see-through" : "gallery-large"}
        href={shown.zoom}
        target="_blank"
        rel="noreferrer"
        aria-label={`${shown.image.alt}: open the whole picture`}
      >
        <Image
          // A new element for each picture, or its blur would not be shown.
          key={shown.image.src}
          {...shown.image}
          alt=""
          width={width}
          height={height}
          sizes={SIZES}
          loading="eager"
          fetchPriority="high"
        />
      </a>
      {pictures.length > 1 && (
        <ul className="thumbnails" aria-label="Pictures">
          {pictures.map(({ image: { src, alt } }, index) => (
            <li key={src}>
              <button type="button" aria-pressed={index === at} onClick={() => setAt(index)}>
                {/* The same signed URL as the large one: the loader picks a small width. */}
                <Image src={src} alt={alt} width={width} height={height} sizes={THUMBNAIL_SIZES} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
