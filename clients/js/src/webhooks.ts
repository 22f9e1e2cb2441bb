// Messages of the server that a job has ended: whether they are its own, and of now.
import { fromBase64 } from "./base64.js";
import { ImgserveError } from "./errors.js";
import type { Job } from "./job.js";
import { hmacKey, subtle } from "./webcrypto.js";

/** A job has ended. */
export interface JobEnd {
  /** The same for all tries of one message: keep it, to deal with each end once. */
  id: string;
  type: "job.done" | "job.failed" | "job.cancelled";
  timestamp: string;
  data: Job;
}

export interface WebhookMessage {
  /** The request's body as it came, before anything parses it. */
  body: string | Uint8Array | ArrayBuffer;
  /** The request's headers: those of fetch, of Node.js, or a plain object. */
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** IMGSERVE_WEBHOOK_SECRET of the server. */
  secret: string | undefined;
  /** How old a message may be. */
  toleranceS?: number | undefined;
}

const PREFIX = "whsec_";
/** What the libraries of Standard Webhooks have. */
const TOLERANCE_S = 300;
const BAD_REQUEST = 400;

/**
 * Give what a message says, after its signature and time are checked.
 *
 * Throws ImgserveError with the code `webhook_refused`: answer 400, and do nothing.
 */
export async function verifyWebhook({
  body,
  headers,
  secret,
  toleranceS = TOLERANCE_S,
}: WebhookMessage): Promise<JobEnd> {
  const [id, at, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    header(headers, name),
  ) as [string, string, string];
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  const head = new TextEncoder().encode(`${id}.${at}.`);
  const message = new Uint8Array(head.length + bytes.length);
  message.set(head);
  message.set(bytes, head.length);
  const key = await hmacKey(secretBytes(secret), "verify");
  // WebCrypto compares in constant time.
  const checks = signatures.split(" ").map((one) => isSigned(one, key, message));
  if (!(await Promise.all(checks)).includes(true)) {
    throw refused("The signature does not fit: another secret, or the body is not as it came.");
  }
  if (!(Math.abs(Date.now() / 1000 - Number(at)) <= toleranceS)) {
    throw refused("The message is too old, or this clock is wrong.");
  }
  return { ...(JSON.parse(new TextDecoder().decode(bytes)) as Omit<JobEnd, "id">), id };
}

async function isSigned(given: string, key: CryptoKey, message: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const [version, text = ""] = given.split(",");
  const signature = version === "v1" ? base64Bytes(text) : undefined;
  return signature !== undefined && (await subtle()).verify("HMAC", key, signature, message);
}

function header(headers: WebhookMessage["headers"], name: string): string {
  const get = (headers as Headers).get;
  const plain = headers as Exclude<WebhookMessage["headers"], Headers>;
  const found =
    typeof get === "function"
      ? get.call(headers, name)
      : Object.entries(plain).find(([given]) => given.toLowerCase() === name)?.[1];
  const text = Array.isArray(found) ? found[0] : found;
  if (typeof text !== "string" || !text) throw refused(`The message has no header ${name}.`);
  return text;
}

function secretBytes(secret: string | undefined): Uint8Array<ArrayBuffer> {
  const isEncoded = secret?.startsWith(PREFIX);
  const bytes = isEncoded ? base64Bytes(secret!.slice(PREFIX.length)) : new TextEncoder().encode(secret ?? "");
  if (bytes?.length) return bytes;
  throw new TypeError(
    `secret: expected IMGSERVE_WEBHOOK_SECRET of the server, a text or ${PREFIX} and base64; is the variable set?`,
  );
}

function base64Bytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

const refused = (message: string) => new ImgserveError(message, { code: "webhook_refused", status: BAD_REQUEST });
