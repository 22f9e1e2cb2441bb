import Link from "next/link";
import { Suspense } from "react";
import { SignedImage } from "imgserve/react";

import { cutOutOf } from "@/lib/cutout";
import { signer } from "@/lib/imgserve";
import { HERO_SOURCE } from "@/lib/products";

// The same part of the picture with and without its background, so that nothing moves when one takes the other's place.
const FRAME = { crop: { cropWidth: 0.66, cropHeight: 0.8, cropGravity: "fp:0.545:0.5" } } as const;

export function Hero() {
  return (
    <section className="hero">
      <div className="hero-words">
        <p className="hero-kicker">New: the Harbour mug</p>
        <h1>For mornings that take their time.</h1>
        <p>Stoneware, prints and small things from a workshop with a view of the water.</p>
        <p>
          <Link className="button" href="/products/harbour-mug">
            See the mug
          </Link>
        </p>
      </div>
      <HeroPicture />
    </section>
  );
}

function HeroPicture() {
  const cutOut = cutOutOf(HERO_SOURCE);
  if (cutOut.ready) return <Picture isCutOut />;
  // The plain picture goes out at once; the cut-out follows in the same answer as soon as a worker has made it.
  return (
    <Suspense fallback={<Picture isPending />}>
      <WhenEnded ended={cutOut.ended} />
    </Suspense>
  );
}

async function WhenEnded({ ended }: { ended: Promise<boolean> }) {
  return <Picture isCutOut={await ended} />;
}

function Picture({ isCutOut = false, isPending = false }) {
  return (
    <div className={isCutOut ? "hero-picture cut-out" : "hero-picture"} aria-busy={isPending}>
      <SignedImage
        signer={signer()}
        src={HERO_SOURCE}
        options={isCutOut ? { ...FRAME, removeBackground: true } : FRAME}
        width={660}
        height={600}
        sizes="(min-width: 75rem) 36rem, (min-width: 56rem) 50vw, 92vw"
        alt="A sea-green stoneware mug, full of coffee"
        loading="eager"
        fetchPriority="high"
      />
    </div>
  );
}
