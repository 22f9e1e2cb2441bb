// `/img?src=local:///mug.jpg&w=1200` is redirected to the signed URL: for e-mails, feeds and links, which no loader serves.
import { createImageHandler } from "imgserve/next";

import { signer } from "@/lib/imgserve";
import { sources } from "@/lib/products";

export async function GET(request: Request): Promise<Response> {
  // Whoever finds this route has pictures made with our key: of our own sources only, and in a few widths.
  const handler = createImageHandler({
    signer: signer(),
    allow: (source) => sources.has(source),
    widths: [640, 1200, 2048],
  });
  return handler(request);
}
