import type { Metadata } from "next";
import { notFound } from "next/navigation";

import { Gallery } from "@/components/gallery";
import { ProductGrid } from "@/components/product-grid";
import { galleryPictures } from "@/lib/gallery";
import { findProduct, priceText, products } from "@/lib/products";

interface Props {
  params: Promise<{ slug: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const product = findProduct((await params).slug);
  return product ? { title: product.name, description: product.description } : {};
}

export default async function ProductPage({ params }: Props) {
  const product = findProduct((await params).slug);
  if (!product) notFound();
  const others = products.filter((one) => one !== product).slice(0, 3);
  return (
    <>
      <article className="product">
        <Gallery pictures={await galleryPictures(product.views)} {...product.shape} />
        <div className="product-words">
          <p className="hero-kicker">{product.kind}</p>
          <h1>{product.name}</h1>
          <p className="product-price">{priceText(product.price)}</p>
          <p>{product.description}</p>
          <dl className="facts">
            {product.facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </div>
      </article>
      <section className="others" aria-labelledby="others">
        <h2 id="others">Beside it on the shelf</h2>
        <ProductGrid products={others} />
      </section>
    </>
  );
}
