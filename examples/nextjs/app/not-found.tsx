import Link from "next/link";

export default function NotFound() {
  return (
    <section className="lost">
      <h1>Nothing on this shelf</h1>
      <p>
        <Link href="/">Back to the shop</Link>
      </p>
    </section>
  );
}
