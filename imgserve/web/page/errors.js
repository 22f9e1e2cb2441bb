// What the server says is wrong.

export class ApiError extends Error {
  constructor(message, { status = 0, code = "offline", where = "", expected = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, where, expected, retryAfter });
  }
}

/** Read an error answer; one of ours has a sentence. */
export async function errorOf(answer) {
  let told;
  try {
    told = (await answer.json()).error;
  } catch {
    told = undefined; // of a proxy, which speaks HTML
  }
  return new ApiError(told?.message ?? `The server answered with status ${answer.status}.`, {
    status: answer.status,
    code: told?.code ?? "unknown",
    where: told?.where ?? "",
    expected: told?.expected ?? "",
    retryAfter: Number(answer.headers.get("retry-after")) || told?.retry_after_s || 0,
  });
}
