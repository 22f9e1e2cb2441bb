// How the generated table tells what an option is; the server's catalog (docs/options.schema.json) is where it is from.

export type KindName =
  "integer" | "number" | "flag" | "choice" | "text" | "colour" | "gravity" | "classes" | "list" | "pairs";

/** The bounds of a value; each kind knows its own. */
export interface Bounds {
  readonly kind: KindName;
  readonly min?: number;
  readonly max?: number;
  /** The value must be greater than this. */
  readonly above?: number;
  readonly multipleOf?: number;
  /** A word that stands for a number (`round:max`). */
  readonly word?: string;
  readonly maxLength?: number;
  readonly maxItems?: number;
  /** Words that are accepted, and those that stand for another one. */
  readonly words?: readonly string[];
  readonly spellings?: Readonly<Record<string, string>>;
  /** Types of a gravity. */
  readonly types?: readonly string[];
  /** What a list or pairs have as values. */
  readonly item?: Bounds;
}

/** One argument of an option. */
export interface Field extends Bounds {
  readonly name: string;
  readonly required?: true;
  /** Pieces of a URL that it takes; null = all that are left, 1 when not told. */
  readonly span?: number | null;
  /** Pieces of the default; without one, leaving it out keeps what was set before. */
  readonly default?: readonly string[];
}

export interface Option {
  readonly name: string;
  readonly aliases: readonly string[];
  /** It is about the answer around the picture, and stands behind the others. */
  readonly delivery?: true;
  readonly fields: readonly Field[];
}

export interface Table {
  /** In the order in which they are written. */
  readonly options: readonly Option[];
  /** By each of their names, in camelCase and with `_` for `-` too. */
  readonly byName: ReadonlyMap<string, Option>;
}

export const camel = (name: string): string => name.replace(/[-_]([a-z])/g, (_, letter) => letter.toUpperCase());

export function tableOf(options: readonly Option[]): Table {
  const names = options.flatMap((option) => {
    const { name, aliases } = option;
    return [camel(name), name.replaceAll("-", "_"), name, ...aliases].map((one) => [one, option] as const);
  });
  return { options, byName: new Map(names) };
}
