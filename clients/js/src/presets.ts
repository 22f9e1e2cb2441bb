// Sets of options under names of one's own, checked when the program starts.
import { OPTIONS } from "./generated/options-table.js";
import type { Options } from "./generated/options.js";
import { settingsOf } from "./options.js";

/**
 * Check sets of options and give them back: `const looks = definePresets({ card: { width: 300 } })`, then
 * `signer.url(source, looks.card)` or `{ ...looks.card, quality: 60 }`. The server needs to know nothing of them.
 *
 * Throws OptionError.
 */
export function definePresets<const Presets extends Readonly<Record<string, Options>>>(presets: Presets): Presets {
  for (const options of Object.values(presets)) settingsOf(OPTIONS, options as Record<string, unknown>);
  return presets;
}
