// A page as docs/javascript.md has it, whose placeholder cannot be had while it is built.
import { createSigner } from "../../../dist/index.js";
import { SignedImage } from "../../../dist/react.js";

const signer = createSigner({ key: "943b421c", salt: "520f986b", baseUrl: process.env.IMAGES_URL });

export default function Page() {
  return <SignedImage signer={signer} src="local:///mug.jpg" alt="A mug" width={600} height={400} placeholder="blur" />;
}
