// Built by tests/clients/test_next_build.py: with and without Cache Components, each in a folder of its own.
import { fileURLToPath } from "node:url";

const { CACHE_COMPONENTS: cacheComponents } = process.env;

export default {
  cacheComponents: cacheComponents === "on",
  distDir: `.next/${cacheComponents}`,
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
};
