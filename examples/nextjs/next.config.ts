import type { NextConfig } from "next";

const config: NextConfig = {
  images: {
    // next/image leaves pictures to imgserve: no /_next/image, nothing is rendered twice.
    loader: "custom",
    loaderFile: "./lib/loader.ts",
  },
};

export default config;
