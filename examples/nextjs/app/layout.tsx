import "./globals.css";

import type { Metadata, Viewport } from "next";
import Link from "next/link";
import { SignedImage } from "imgserve/react";

import { signer } from "@/lib/imgserve";

export const metadata: Metadata = {
  title: { default: "Headland", template: "%s · Headland" },
  description: "A small shop of things made by the sea: an example of Next.js with imgserve.",
};

export const viewport: Viewport = {
  colorScheme: "light dark",
};

// Pages are rendered when they are asked for, so that one build serves every environment: address and keys are read where
// it runs. Without this line `next build` renders them, and needs the settings and imgserve itself then.
export const dynamic = "force-dynamic";

export default function Layout({ children }: { children: React.ReactNode }) {
  return (
    // The last one tells Next.js that globals.css scrolls smoothly: new pages begin at their top all the same.
    <html lang="en" data-scroll-behavior="smooth">
      <body>
        <a className="skip" href="#main">
          Skip to the content
        </a>
        <header className="bar">
          <Link className="brand" href="/">
            <SignedImage signer={signer()} src="local:///logo.png" alt="" width={32} height={32} loading="eager" />
            Headland
          </Link>
          <nav aria-label="Shop">
            <Link href="/#shop">Shop</Link>
          </nav>
        </header>
        <main id="main">{children}</main>
        <footer className="foot">
          <p>Every picture here is signed on the server and made by imgserve at the width that your screen needs.</p>
        </footer>
      </body>
    </html>
  );
}
