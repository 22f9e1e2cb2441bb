// What a token grants, read from its own text: nobody has to configure a loader.

/** One value of a list, or a range of whole numbers. */
type Granted = string | readonly [low: number, high: number];

export interface Grants {
  /** The name that the query string takes. */
  readonly name: string;
  readonly values: readonly Granted[];
}

export interface Token {
  readonly width: Grants | undefined;
  readonly density: Grants | undefined;
  /** The width of the box that a density multiplies. */
  readonly boxWidth: number | undefined;
  readonly quality: Grants | undefined;
}

const NAMES = { width: ["w", "width"], density: ["dpr"], quality: ["q", "quality"] } as const;
const RANGE = /^(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})$/;

/** Read a token URL, undefined where the URL is none. */
export function readToken(url: string): Token | undefined {
  const segments = optionsPart(url).split("/");
  const choices = segments.flatMap((segment) => {
    // What stands between arguments is the operator's choice; it follows the word.
    const found = /^choose([^A-Za-z0-9._~-]+)(.+)$/.exec(segment);
    return found ? [{ separator: found[1]!, pieces: found[2]!.split(found[1]!) }] : [];
  });
  const grants = (names: readonly string[]) => {
    const choice = choices.find(({ pieces }) => names.includes(pieces[0]!));
    return choice && { name: choice.pieces[0]!, values: choice.pieces.slice(1).map(granted) };
  };
  const [width, density] = [grants(NAMES.width), grants(NAMES.density)];
  if (!width && !density) return undefined;
  const separator = choices[0]!.separator;
  const box = segments.find((segment) => NAMES.width.some((name) => segment.startsWith(name + separator)));
  const boxWidth = box === undefined ? undefined : Number(box.split(separator)[1]);
  return { width, density, boxWidth, quality: grants(NAMES.quality) };
}

/** Give the pick in a query string for a picture that is at least this wide, or as wide as can be had. */
export function pickWidth(token: Token, px: number): string {
  const { width, density, boxWidth } = token;
  if (width) return `${width.name}=${atLeast(width.values, px)}`;
  return density && boxWidth ? `${density.name}=${atLeast(density.values, px, boxWidth)}` : "";
}

/** Give the pick for the quality next to this one, "" where the token leaves no choice. */
export function pickQuality({ quality }: Token, wanted: number): string {
  // What next/image cannot read of the prop `quality` is NaN.
  if (!quality || Number.isNaN(wanted)) return "";
  const values = quality.values.map((one) => (typeof one === "string" ? one : String(within(one, wanted))));
  const distance = (value: string) => Math.abs(Number(value) - wanted);
  const nearest = values.reduce((best, value) => (distance(value) < distance(best) ? value : best));
  return `${quality.name}=${nearest}`;
}

/** Half a pixel too little is a density that was rounded. */
const ROUNDED = 0.5;

function atLeast(values: readonly Granted[], px: number, unit = 1): string {
  const wanted = px / unit;
  const texts = values.map((one) => (typeof one === "string" ? one : String(within(one, wanted))));
  const ascending = texts.sort((one, other) => Number(one) - Number(other));
  return ascending.find((text) => Number(text) * unit >= px - ROUNDED) ?? ascending.at(-1)!;
}

function within([low, high]: readonly [number, number], wanted: number): number {
  return Math.min(Math.max(Math.ceil(wanted), low), high);
}

function granted(piece: string): Granted {
  const range = RANGE.exec(piece);
  return range ? [Number(range[1]), Number(range[2])] : piece;
}

/** The source may have anything in it, so only what stands before it is looked at. */
function optionsPart(url: string): string {
  const path = url.split("?", 1)[0]!;
  const plain = path.indexOf("/plain/");
  return plain < 0 ? path : path.slice(0, plain);
}
