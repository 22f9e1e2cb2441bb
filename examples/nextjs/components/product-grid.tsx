import Link from "next/link";
import { SignedImage } from "imgserve/react";

import { signer } from "@/lib/imgserve";
import { priceText, type Product } from "@/lib/products";

// How wide a card is, as in globals.css: with it the browser knows the width before it has any CSS.
const SIZES = "(min-width: 75rem) 23rem, (min-width: 48rem) 31vw, 45vw";
// What is cut out has some air around it.
const INSET_SIZES = "(min-width: 75rem) 17.5rem, (min-width: 48rem) 24vw, 35vw";

interface Props {
  products: readonly Product[];
  /** The first row is seen at once, so it must not wait until it is scrolled to. */
  eager?: boolean;
}

export function ProductGrid({ products, eager = false }: Props) {
  return (
    <ul className="grid">
      {products.map((product, at) => (
        <li key={product.slug} className="card">
          <Link href={`/products/${product.slug}`}>
            <CardPicture product={product} eager={eager && at < 3} />
            <span className="card-name">{product.name}</span>
            <span className="card-kind">{product.kind}</span>
            <span className="card-price">{priceText(product.price)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function CardPicture({ product: { views }, eager }: { product: Product; eager: boolean }) {
  const [{ source, options, transparent }] = views;
  // Width and height are the card's shape: imgserve crops to it at every width, and the page keeps its place.
  const shape = transparent ? { width: 400, height: 400 } : { width: 400, height: 500 };
  return (
    <span className={transparent ? "card-picture see-through" : "card-picture"}>
      <SignedImage
        signer={signer()}
        src={source}
        options={options}
        {...shape}
        sizes={transparent ? INSET_SIZES : SIZES}
        // The name of the product stands below: a screen reader need not say it twice.
        alt=""
        loading={eager ? "eager" : "lazy"}
        // The tiny picture is of the whole source: wrong for a close-up, and it would shine through transparency.
        placeholder={transparent || options?.crop ? "empty" : "blur"}
      />
    </span>
  );
}
