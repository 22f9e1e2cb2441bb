// Next.js calls this when its server starts: the cut-out is ordered before the first visitor comes.
export async function register() {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const [{ cutOutOf }, { HERO_SOURCE }] = await Promise.all([import("@/lib/cutout"), import("@/lib/products")]);
  cutOutOf(HERO_SOURCE);
}
