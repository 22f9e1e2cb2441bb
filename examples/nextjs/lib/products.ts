// The catalogue. A real shop has a database here; the pictures are those that `imgserve samples` draws.
import type { Options } from "imgserve";

export interface View {
  source: string;
  alt: string;
  /** Which part of the source is shown; signed, so no browser can change it. */
  options?: Options;
  /** Of a picture with transparency: it stands on the page's own ground. */
  transparent?: boolean;
}

export interface Product {
  slug: string;
  name: string;
  kind: string;
  /** In cents. */
  price: number;
  description: string;
  facts: readonly (readonly [name: string, value: string])[];
  /** Shape of its pictures: the page keeps this place until they are there. */
  shape: { width: number; height: number };
  /** The first one is on the card. */
  views: readonly [View, ...View[]];
}

const MUG = "local:///mug.jpg";
const LIGHTHOUSE = "local:///portrait.jpg";
const LAKE = "local:///landscape.jpg";

/** The picture at the top of the home page, whose background is removed. */
export const HERO_SOURCE = MUG;

export const products: readonly Product[] = [
  {
    slug: "harbour-mug",
    name: "Harbour mug",
    kind: "Stoneware, 350 ml",
    price: 2800,
    description:
      "Thrown by hand, dipped in sea-green glaze and left bare at the foot, where the clay shows. It keeps coffee warm for as long as a slow morning takes.",
    facts: [
      ["Material", "Stoneware, lead-free glaze"],
      ["Size", "9 cm wide, 10 cm high"],
      ["Care", "Dishwasher and microwave safe"],
    ],
    shape: { width: 1200, height: 900 },
    views: [
      { source: MUG, alt: "A sea-green mug with a bare clay foot", options: { gravity: "fp:0.55:0.5" } },
      { source: MUG, alt: "The handle of the mug", options: closeUp(0.33, 0.72, 0.5) },
      { source: MUG, alt: "Where the glaze ends and the clay begins", options: closeUp(0.33, 0.46, 0.7) },
    ],
  },
  {
    slug: "beacon-print",
    name: "Beacon",
    kind: "Art print, 30 × 40 cm",
    price: 4200,
    description:
      "The lamp is lit a few minutes before the last of the light goes. Seven colours of pigment ink on heavy cotton paper, with a white border for the frame.",
    facts: [
      ["Paper", "Cotton rag, 310 g/m²"],
      ["Edition", "200, numbered"],
      ["Frame", "Not included"],
    ],
    shape: { width: 1200, height: 1600 },
    views: [
      { source: LIGHTHOUSE, alt: "A red and white lighthouse at dusk" },
      { source: LIGHTHOUSE, alt: "The lit lamp room of the lighthouse", options: closeUp(0.45, 0.52, 0.25) },
      { source: LIGHTHOUSE, alt: "The sea at the foot of the lighthouse", options: closeUp(0.45, 0.3, 0.8) },
    ],
  },
  {
    slug: "stillwater-print",
    name: "Stillwater",
    kind: "Art print, 60 × 40 cm",
    price: 5400,
    description:
      "Five ridges in the haze, and all of them once more in the lake. Printed large enough to be a window in a room that has none.",
    facts: [
      ["Paper", "Cotton rag, 310 g/m²"],
      ["Edition", "Open"],
      ["Frame", "Not included"],
    ],
    shape: { width: 1500, height: 1000 },
    views: [
      { source: LAKE, alt: "Hazy mountain ridges over a still lake", options: { gravity: "fp:0.5:0.5" } },
      { source: LAKE, alt: "Firs on the shore", options: closeUp(0.4, 0.18, 0.56) },
      { source: LAKE, alt: "The low sun above the ridges", options: closeUp(0.4, 0.52, 0.25) },
    ],
  },
  {
    slug: "aperture-sticker",
    name: "Aperture",
    kind: "Vinyl sticker, 8 cm",
    price: 350,
    description: "Six blades and a sun, cut to shape. It holds on laptops, bottles and the bumpers of small cars.",
    facts: [
      ["Material", "Matt vinyl, removable"],
      ["Size", "8 cm across"],
    ],
    shape: { width: 512, height: 512 },
    views: [{ source: "local:///logo.png", alt: "A round sticker of six teal aperture blades", transparent: true }],
  },
  {
    slug: "firs-postcard",
    name: "Firs",
    kind: "Postcard, A6",
    price: 250,
    description: "The shore of Stillwater, up close. Uncoated on the back, so that any pen will do.",
    facts: [
      ["Paper", "Board, 350 g/m²"],
      ["Size", "10.5 × 14.8 cm"],
    ],
    shape: { width: 960, height: 1200 },
    views: [{ source: LAKE, alt: "Firs on the shore of a lake", options: closeUp(0.36, 0.18, 0.6) }],
  },
  {
    slug: "lamp-room-postcard",
    name: "Lamp room",
    kind: "Postcard, A6",
    price: 250,
    description: "The light of Beacon, up close. Uncoated on the back, so that any pen will do.",
    facts: [
      ["Paper", "Board, 350 g/m²"],
      ["Size", "10.5 × 14.8 cm"],
    ],
    shape: { width: 960, height: 1200 },
    views: [{ source: LIGHTHOUSE, alt: "The lit lamp room of a lighthouse", options: closeUp(0.6, 0.52, 0.3) }],
  },
];

/** The sources that pages show: nobody can have pictures made of others. */
export const sources: ReadonlySet<string> = new Set(products.flatMap(({ views }) => views.map(({ source }) => source)));

export function findProduct(slug: string): Product | undefined {
  return products.find((product) => product.slug === slug);
}

export function priceText(cents: number): string {
  return new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" }).format(cents / 100);
}

/** A share of the source around a point. */
function closeUp(share: number, x: number, y: number): Options {
  return { crop: { cropWidth: share, cropHeight: share, cropGravity: `fp:${x}:${y}` } };
}
