// Prints the URL that imgproxy's own Node.js client makes of the JSON request on the command line.
import { generateImageUrl } from "@imgproxy/imgproxy-node";

console.log(generateImageUrl(JSON.parse(process.argv[2])));
