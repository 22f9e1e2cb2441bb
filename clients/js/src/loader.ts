"use client";
// The loader of next/image for tokens: it runs in browsers, knows no secret, and only picks what the token grants.
import { pickQuality, pickWidth, readToken } from "./grants.js";

/** What next/image tells a loader. */
export interface LoaderProps {
  src: string;
  width: number;
  quality?: number | undefined;
}

export type Loader = (props: LoaderProps) => string;

export interface LoaderSettings {
  /** Gives the URL of what is no token: another loader, say. */
  other?: Loader | undefined;
}

/** Make a loader; tokens never need more than the default export. */
export function createLoader({ other = refuseOther }: LoaderSettings = {}): Loader {
  return (props) => {
    const token = readToken(props.src);
    if (!token) return other(props);
    const quality = props.quality === undefined ? "" : pickQuality(token, props.quality);
    return withPicks(props.src, [pickWidth(token, props.width), quality].filter(Boolean));
  };
}

/** Put picks into the query, in place of those that are there: the server refuses two of one name. */
function withPicks(src: string, picks: readonly string[]): string {
  const [path = "", ...queries] = src.split("?");
  const nameOf = (pick: string) => pick.split("=", 1)[0];
  const names = picks.map(nameOf);
  const others = queries.join("?").split("&");
  const all = [...others.filter((one) => one && !names.includes(nameOf(one))), ...picks];
  return all.length ? `${path}?${all.join("&")}` : path;
}

/** Add to a token the width (and quality) that is granted and next to what next/image asks for. */
const loader: Loader = createLoader();
export default loader;

declare const process: { env: { NODE_ENV?: string } };

function refuseOther({ src }: LoaderProps): string {
  if (typeof process !== "undefined" && process.env.NODE_ENV !== "production") {
    throw new Error(
      `The loader of imgserve was given a src that is no token: ${src.slice(0, 200)}\n` +
        "Make the src on the server with token(signer, source), or leave this picture to others: the prop " +
        "unoptimized, or createLoader({ other }).",
    );
  }
  return src;
}
