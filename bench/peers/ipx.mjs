// IPX as its own documentation mounts it, on loopback, with imgproxy's saver parameters.
// Run in the folder that holds node_modules: node ipx.mjs PORT FOLDER
import { createServer } from "node:http";
import { createIPX, createIPXNodeServer, ipxFSStorage, ipxHttpStorage } from "ipx";
import sharp from "sharp";

const [port, folder] = process.argv.slice(2);
sharp.cache(false);
const ipx = createIPX({
  storage: ipxFSStorage({ dir: folder }),
  httpStorage: ipxHttpStorage({ domains: ["127.0.0.1"] }),
  // IPX copies these onto sharp's own options, which is the only way to reach an encoder's effort through it.
  sharpOptions: {
    webpEffort: 4,
    heifEffort: 1,
    heifChromaSubsampling: "4:2:0",
    pngAdaptiveFiltering: true,
    pngCompressionLevel: 6,
  },
});
createServer(createIPXNodeServer(ipx)).listen(Number(port), "127.0.0.1");
