// The path to sign: options in their one order and spelling, choices, and the source.
import { type Choose, choiceSegments } from "./choose.js";
import { OptionError } from "./errors.js";
import { printed, settingsOf, type Settings } from "./options.js";
import type { Option, Table } from "./schema.js";
import { sourcePart } from "./source.js";

export interface PathParts {
  readonly options?: object | undefined;
  readonly presets?: readonly string[] | undefined;
  readonly choose?: Choose | undefined;
  readonly base64?: boolean | undefined;
  readonly separator?: string | undefined;
}

const PRESET = "preset";

/** What has a meaning in URLs, and what browsers would escape on its way, so that the signature no longer fits. */
const UNSAFE = /[/?#"<>\\^`{}|\s]|%3A|[^\u0021-\u007e]/;

/** Write the path of a picture from its leading slash, one for all spellings of the same options; throws OptionError. */
export function pathOf(table: Table, source: string, parts: PathParts): string {
  return `/${[...segmentsOf(table, parts), sourcePart(source, parts)].join("/")}`;
}

/** Write the options alone, each a segment; throws OptionError. */
export function segmentsOf(table: Table, parts: PathParts): string[] {
  const { separator = ":", choose = {} } = parts;
  const settings = withPresets(table, parts);
  const segments = (options: readonly Option[]) => options.map((option) => segmentOf(option, settings, separator));
  const given = table.options.filter((option) => settings.has(option.name));
  const choices = choiceSegments(table, choose, separator);
  const ofPresets = choices.filter((one) => one.option.name === PRESET);
  return [
    // Options win over what a preset sets, whichever is chosen.
    ...ofPresets.map((one) => one.text),
    ...segments(given.filter((option) => option.name === PRESET)),
    ...segments(given.filter((option) => option.name !== PRESET && !option.delivery)),
    ...segments(given.filter((option) => option.delivery)),
    ...choices.filter((one) => !ofPresets.includes(one)).map((one) => one.text),
  ];
}

/** All presets become one option: a URL holds an option only once. */
function withPresets(table: Table, { options = {}, presets = [] }: PathParts): Settings {
  const settings = settingsOf(table, options as Record<string, unknown>);
  if (!presets.length) return settings;
  const named = settingsOf(table, { preset: presets }).get(PRESET)!;
  const inOptions = settings.get(PRESET)?.names ?? [];
  return new Map([...settings, [PRESET, { names: [...named.names!, ...inOptions] }]]);
}

function segmentOf(option: Option, settings: Settings, separator: string): string {
  const pieces = printed(option, settings.get(option.name)!);
  const wrong = pieces.find((piece) => UNSAFE.test(piece) || piece.includes(separator));
  if (wrong !== undefined) {
    throw new OptionError(option.name, wrong, `text that can stand in a URL as it is, without / ? # and ${separator}`);
  }
  return [option.name, ...pieces].join(separator);
}
