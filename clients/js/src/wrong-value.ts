// A value that is not of its kind; whoever knows the option's name makes an OptionError of it.

export class WrongValue extends Error {
  readonly got: unknown;
  readonly expected: string;
  /** Which argument it is of, where that is known. */
  readonly field: string | undefined;

  constructor(got: unknown, expected: string, field?: string) {
    super(`expected ${expected}`);
    this.got = got;
    this.expected = expected;
    this.field = field;
  }
}
