import { Hero } from "@/components/hero";
import { ProductGrid } from "@/components/product-grid";
import { products } from "@/lib/products";

export default function Home() {
  return (
    <>
      <Hero />
      <section id="shop" aria-labelledby="shop-title">
        <h2 id="shop-title">Made by the sea</h2>
        <ProductGrid products={products} eager />
      </section>
    </>
  );
}
