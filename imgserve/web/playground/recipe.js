// A recipe: which picture, presets and options; and how a link carries it. A key is never in it.

export const CLIENTS = {
  avif: { word: "AVIF and WebP", accept: "image/avif,image/webp,*/*" },
  webp: { word: "WebP", accept: "image/webp,*/*" },
  none: { word: "Neither", accept: "*/*" },
};

export const empty = () => ({ source: "", presets: [], options: {}, client: "avif" });

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Read a fragment; what the catalog does not know is left out. */
export function read(fragment, catalog) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const recipe = empty();
  recipe.source = given.get("source") ?? "";
  recipe.presets = (given.get("presets") ?? "").split(",").filter(Boolean);
  if (Object.hasOwn(CLIENTS, given.get("client"))) recipe.client = given.get("client");
  let options;
  try {
    options = JSON.parse(given.get("options") ?? "{}");
  } catch {
    options = {}; // a link that was cut short
  }
  for (const [name, value] of Object.entries(isTable(options) ? options : {})) {
    const option = catalog.options.get(name);
    if (!option || name === "preset") continue;
    const table = isTable(value) ? value : { [option.fields[0].name]: value };
    const known = Object.entries(table).filter(([field]) => option.fields.some((one) => one.name === field));
    if (known.length) recipe.options[name] = Object.fromEntries(known);
  }
  return recipe;
}

export function write(recipe, catalog) {
  const out = new URLSearchParams();
  if (recipe.source) out.set("source", recipe.source);
  if (recipe.presets.length) out.set("presets", recipe.presets.join(","));
  if (Object.keys(recipe.options).length) out.set("options", JSON.stringify(brief(recipe.options, catalog)));
  if (recipe.client !== "avif") out.set("client", recipe.client);
  // Readable where that is safe: slashes, colons and commas end nothing in a fragment.
  return out.toString().replace(/%(2F|3A|2C)/g, (escape) => decodeURIComponent(escape));
}

/** Write options whose first argument says it all as that argument; a table would be read as the option's own. */
export function brief(options, catalog) {
  return Object.fromEntries(
    Object.entries(options).map(([name, table]) => {
      const [first] = catalog.options.get(name).fields;
      const alone = Object.keys(table).length === 1 && first.name in table && !isTable(table[first.name]);
      return [name, alone && catalog.options.get(name).short ? table[first.name] : table];
    }),
  );
}

/** Give the body of an order to sign. */
export function order(recipe, catalog) {
  const { source, presets } = recipe;
  const options = brief(recipe.options, catalog);
  return {
    source,
    ...(presets.length ? { presets } : {}),
    ...(Object.keys(options).length ? { options } : {}),
  };
}
