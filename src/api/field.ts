/** Something wrong in a resource, told so that its owner can repair it without reading our code. */
export type ApiProblem = {
  /** Kind, namespace and name: `IPAddressPool metallb-system/office`. */
  readonly object: string;
  /** Path inside the object: `spec.addresses[2]`. */
  readonly field: string;
  /** What stands there. */
  readonly value: unknown;
  /** What is wrong, and what to write instead. */
  readonly message: string;
};

/** One line: `IPAddressPool metallb-system/office: spec.addresses[2]: ... (found "192.0.2.1")`. */
export function formatProblem(problem: ApiProblem): string {
  const found = problem.value === undefined ? '' : ` (found ${JSON.stringify(problem.value)})`;
  return `${problem.object}: ${problem.field}: ${problem.message}${found}`;
}

/** Of one object. Nobody reads more, and a hostile object shall not make us compare more. */
const maxProblems = 100;

/**
 * What stands elsewhere in the object that a declaration was made of than in the kind it is a declaration of: the path
 * there by the path here. Problems name the first.
 */
export type FieldNames = Readonly<Record<string, string>>;

/** Where the declaration's object says what its kind says at `field`. */
export function fieldOf({ fields }: { readonly fields?: FieldNames }, field: string): string {
  return fields?.[field] ?? field;
}

/**
 * A place in an object as the API server (or a file) gave it. Reading a wrong type notes a problem and yields nothing;
 * it never throws. Null counts as absent, as it does for the API server.
 */
export class Field {
  readonly path: string;
  readonly #value: unknown;
  readonly #object: string;
  /** Shared by all fields of one object. */
  readonly #problems: ApiProblem[];

  private constructor(object: string, path: string, value: unknown, problems: ApiProblem[]) {
    this.path = path;
    this.#object = object;
    this.#value = value ?? undefined;
    this.#problems = problems;
  }

  /** The object itself. `object` is how problems name it. */
  static root(object: string, value: unknown, problems: ApiProblem[]): Field {
    return new Field(object, '', value, problems);
  }

  get absent(): boolean {
    return this.#value === undefined;
  }

  at(key: string): Field {
    const path = this.path === '' ? key : `${this.path}.${key}`;
    const own = this.#record();
    return this.#child(path, own !== undefined && Object.hasOwn(own, key) ? own[key] : undefined);
  }

  /** The value under a key that is no identifier, such as an annotation's: `metadata.annotations[garpoon.io/drain]`. */
  entry(key: string): Field {
    return this.#child(`${this.path}[${key}]`, this.at(key).#value);
  }

  /** The entries of a list. Of a list that is too long none is looked at: the limit is there to bound that work. */
  items(most = Number.POSITIVE_INFINITY): readonly Field[] {
    if (this.absent) return [];
    if (!Array.isArray(this.#value)) return this.#wrongType('a list', []);
    if (this.#value.length > most) {
      this.refuseAs(this.#value.length, `must have at most ${most} entries`);
      return [];
    }
    return this.#value.map((item, index) => this.#child(`${this.path}[${index}]`, item));
  }

  text(): string | undefined {
    if (this.absent || typeof this.#value === 'string') return this.#value as string | undefined;
    return this.#wrongType('a text', undefined);
  }

  flag(): boolean | undefined {
    if (this.absent || typeof this.#value === 'boolean') return this.#value as boolean | undefined;
    return this.#wrongType('true or false', undefined);
  }

  integer(): number | undefined {
    if (this.absent || Number.isSafeInteger(this.#value)) return this.#value as number | undefined;
    return this.#wrongType('a whole number', undefined);
  }

  /** A whole number within the limits, both included. */
  integerWithin(least: number, most: number): number | undefined {
    const value = this.integer();
    if (value === undefined || (value >= least && value <= most)) return value;
    this.refuse(`must be from ${least} to ${most}`);
    return undefined;
  }

  /** A text of a closed set. */
  oneOf<const T extends string>(allowed: readonly T[]): T | undefined {
    const value = this.text();
    if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
    this.refuse(`must be one of ${allowed.join(', ')}`);
    return undefined;
  }

  /** A list of texts; what is no text, null included, is noted and left out. */
  texts(): readonly string[] {
    return this.items().flatMap((item) => item.required().text() ?? []);
  }

  /** A list of texts in which no text may stand twice. */
  distinctTexts(most?: number): readonly string[] {
    const seen = new Set<string>();
    for (const item of this.items(most)) {
      const text = item.required().text();
      if (text !== undefined && seen.has(text)) item.refuse('is listed twice: remove one of the two');
      if (text !== undefined) seen.add(text);
    }
    return [...seen];
  }

  /** An object whose values are texts, such as labels. */
  textMap(): Readonly<Record<string, string>> {
    const keys = Object.keys(this.#record() ?? {}).filter((key) => !this.at(key).absent);
    return Object.fromEntries(keys.map((key) => [key, this.at(key).text() ?? ''] as const));
  }

  /** Whether a problem is noted for this place, or for what it is part of. */
  get isRefused(): boolean {
    return this.#problems.some(({ field }) => this.#isWithin(field));
  }

  /** Notes a problem when nothing stands here. */
  required(): this {
    if (this.absent) this.refuse('is required');
    return this;
  }

  /** Notes a problem, unless one is noted for this place or for what it is part of: that one says it. */
  refuse(message: string): void {
    this.refuseAs(this.#value, message);
  }

  /** The same, showing something else than all that stands here: the length of a list, say, or nothing of a secret. */
  refuseAs(value: unknown, message: string): void {
    if (this.#problems.length >= maxProblems || this.isRefused) return;
    this.#problems.push({ object: this.#object, field: this.path, value, message });
  }

  #isWithin(path: string): boolean {
    return this.path === path || this.path.startsWith(`${path}.`) || this.path.startsWith(`${path}[`);
  }

  #record(): Readonly<Record<string, unknown>> | undefined {
    const value = this.#value;
    if (value === undefined) return undefined;
    if (typeof value === 'object' && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
    return this.#wrongType('an object', undefined);
  }

  #child(path: string, value: unknown): Field {
    return new Field(this.#object, path, value, this.#problems);
  }

  #wrongType<T>(expected: string, instead: T): T {
    this.refuse(`must be ${expected}`);
    return instead;
  }
}
