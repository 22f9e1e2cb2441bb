// What goes wrong here and on the server, told alike: where, what was got, what is expected.

/** What an error of the server's has to say; `OptionError` has the same fields. */
export interface Trouble {
  where?: string | undefined;
  got?: string | undefined;
  expected?: string | undefined;
}

/** An option or an argument that the server would refuse, found before a URL is made of it. */
export class OptionError extends Error implements Trouble {
  override readonly name = "OptionError";
  /** The option, and behind a point its field: `resize.width`. */
  readonly where: string;
  readonly got: string;
  readonly expected: string;

  constructor(where: string, got: unknown, expected: string) {
    const shown = shownValue(got);
    super(`${where}: expected ${expected}, got ${shown}.`);
    this.where = where;
    this.got = shown;
    this.expected = expected;
  }
}

/** An answer of the server that is an error. */
export class ImgserveError extends Error implements Trouble {
  override readonly name = "ImgserveError";
  /** Stable, for programs: `bad_option`, `not_found`, `rate_limited` … */
  readonly code: string;
  readonly status: number;
  readonly where: string | undefined;
  readonly got: string | undefined;
  readonly expected: string | undefined;
  /** What the server's log knows the request by. */
  readonly requestId: string | undefined;
  /** When to come back, where the server says so. */
  readonly retryAfterS: number | undefined;

  constructor(
    message: string,
    facts: Trouble & { code: string; status: number; requestId?: string | undefined; retryAfterS?: number | undefined },
  ) {
    super(message);
    this.code = facts.code;
    this.status = facts.status;
    this.where = facts.where;
    this.got = facts.got;
    this.expected = facts.expected;
    this.requestId = facts.requestId;
    this.retryAfterS = facts.retryAfterS;
  }

  /** Read an answer of the server's that is not a success, whatever stands in it. */
  static async of(answer: Response): Promise<ImgserveError> {
    const told = errorIn(await answer.text());
    const retryAfter = Number(answer.headers.get("retry-after") ?? Number.NaN);
    return new ImgserveError(told.message ?? `The server answered ${answer.status}.`, {
      code: told.code ?? "unknown",
      status: answer.status,
      where: told.where,
      got: told.got,
      expected: told.expected,
      requestId: told.request_id ?? answer.headers.get("x-request-id") ?? undefined,
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : undefined,
    });
  }
}

type Told = Partial<Record<"code" | "message" | "where" | "got" | "expected" | "request_id", string>>;

function errorIn(body: string): Told {
  try {
    const read: unknown = JSON.parse(body);
    return (read as { error?: Told } | null)?.error ?? {};
  } catch {
    // A proxy on the way may answer in HTML.
    return {};
  }
}

const LONGEST_SHOWN = 80;

function shownValue(value: unknown): string {
  const text = typeof value === "string" ? `'${value}'` : textOf(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // Neither a BigInt nor a circle has JSON.
    return String(value);
  }
}
