// Texts that are copied, by buttons that say so.

import { make, say } from "./dom.js";

// How long a button says that it has copied.
const COPIED_MS = 1500;

/** Make a button that copies what `text` gives then; `news` tells those who cannot see it. */
export function copier(word, text, news, properties = {}) {
  const button = make("button", { type: "button", ...properties }, word);
  button.addEventListener("click", async () => {
    const copied = await copy(text());
    say(button, copied ? "Copied" : "Press Ctrl+C");
    news(copied ? "Copied." : "It cannot be copied from here.");
    setTimeout(() => say(button, word), COPIED_MS);
  });
  return button;
}

/** Put a text into the clipboard; without TLS browsers leave only the old way. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { value: text, className: "unseen", readOnly: true });
    const before = document.activeElement;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    before?.focus();
    return copied;
  }
}
