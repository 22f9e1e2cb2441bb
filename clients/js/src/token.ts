// Choice tokens: one signed URL of which a page may pick the width, and the quality if you like.
import type { Choose } from "./choose.js";
import type { Signer } from "./signer.js";
import { DEFAULT_WIDTHS, type Sizing, type Steps, stepsOf } from "./widths.js";

export interface TokenSettings<Preset extends string = string> extends Sizing {
  presets?: readonly Preset[] | undefined;
  /**
   * Qualities that a page may ask for, the default first: `[75, 90]`, or a range `[75, [50, 90]]`. Without it the server
   * decides, which has a good one for each format.
   */
  qualities?: readonly (number | readonly [low: number, high: number])[] | undefined;
  base64?: boolean | undefined;
}

/**
 * Give a signed URL that stands for a picture in all `widths` (by default all that next/image asks for): the `src` of a
 * next/image with the loader of `imgserve/loader`. It has no secret; who has it can get these pictures and no others.
 * Without a query it is as wide as its room, or else 1200 pixels, or the next of `widths`.
 *
 * Throws OptionError.
 */
export async function token<Preset extends string>(
  signer: Signer<Preset>,
  source: string,
  settings: TokenSettings<NoInfer<Preset>> = {},
): Promise<string> {
  return tokenOf(signer, source, stepsOf(settings, settings.widths ?? DEFAULT_WIDTHS), settings);
}

/** Sign these steps. */
export function tokenOf<Preset extends string>(
  signer: Signer<Preset>,
  source: string,
  { by, options, steps, unpicked }: Steps,
  { presets, qualities, base64 }: TokenSettings<Preset>,
): Promise<string> {
  // The first value is the default, and a URL whose query was lost should not show 32 pixels.
  const values = [unpicked, ...steps.filter(({ value }) => value !== unpicked.value)].map((step) => step.value);
  const choose: Choose = { [by]: values, ...(qualities && { q: qualities }) };
  return signer.url(source, options, { presets, choose, base64 });
}
