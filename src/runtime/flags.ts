import { parseArgs } from 'node:util';

/**
 * One command-line flag. `env` names the environment variable that stands in for it when the flag is absent; MetalLB's
 * names are kept, so that its manifests work. A flag without `default` and without `optional` must be given.
 */
export type Flag = FlagTexts & (TextKind | IntegerKind | { readonly kind: 'port' } | { readonly kind: 'boolean' });

type FlagTexts = {
  readonly help: string;
  /** One letter: `o` for `-o json`. */
  readonly short?: string;
  readonly env?: string;
  readonly default?: string;
  readonly optional?: true;
};

type TextKind = {
  readonly kind: 'text';
  /** The texts it may have. */
  readonly oneOf?: readonly string[];
};

type IntegerKind = {
  readonly kind: 'integer';
  readonly range: readonly [least: number, greatest: number];
};

export type FlagSet = { readonly [name: string]: Flag };

type Value<F extends Flag> = F['kind'] extends 'boolean'
  ? boolean
  : F['kind'] extends 'port' | 'integer'
    ? number
    : F extends { readonly optional: true }
      ? string | undefined
      : F extends { readonly oneOf: readonly (infer Text)[] }
        ? Text
        : string;

export type FlagValues<S extends FlagSet> = { readonly [name in keyof S]: Value<S[name]> };

export type ParsedFlags<S extends FlagSet> =
  | { readonly values: FlagValues<S>; readonly positionals: readonly string[] }
  | { readonly problem: string };

/** Reads flags, then environment, then defaults. A problem names the flag, the value and what it should be. */
export function parseFlags<const S extends FlagSet>(
  flags: S,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedFlags<S> {
  let given: ReturnType<typeof parseArgs>;
  try {
    const options = Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [
        name,
        {
          type: flag.kind === 'boolean' ? ('boolean' as const) : ('string' as const),
          ...(flag.short === undefined ? {} : { short: flag.short }),
        },
      ]),
    );
    given = parseArgs({ args: [...argv], options, allowPositionals: true, allowNegative: true });
  } catch (thrown) {
    return { problem: (thrown as Error).message };
  }
  const values: Record<string, string | number | boolean | undefined> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const fromEnv = flag.env === undefined ? undefined : env[flag.env];
    const source = given.values[name] ?? (fromEnv === '' ? undefined : fromEnv) ?? flag.default;
    const read = readFlag(name, flag, source as string | boolean | undefined);
    if ('problem' in read) return read;
    values[name] = read.value;
  }
  return { values: values as FlagValues<S>, positionals: given.positionals };
}

/** One line a flag, for `--help`. */
export function describeFlags(flags: FlagSet): string {
  return Object.entries(flags)
    .map(([name, flag]) => {
      const short = flag.short === undefined ? '' : `-${flag.short}, `;
      const form = `${short}--${name}${flag.kind === 'boolean' ? '' : `=${flag.kind.toUpperCase()}`}`;
      const notes = [
        flag.default === undefined || flag.default === '' ? '' : `default ${flag.default}`,
        flag.env === undefined ? '' : `or $${flag.env}`,
      ].filter(Boolean);
      return `  ${form.padEnd(32)} ${flag.help}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
    })
    .join('\n');
}

type Read = { value: string | number | boolean | undefined } | { problem: string };

function readFlag(name: string, flag: Flag, source: string | boolean | undefined): Read {
  if (flag.kind === 'boolean') return { value: source === true || source === 'true' };
  if (source === undefined || typeof source === 'boolean') {
    if (flag.optional) return { value: undefined };
    const stand = flag.env === undefined ? '' : ` (or set $${flag.env})`;
    return { problem: `--${name} is missing: ${flag.help}${stand}` };
  }
  if (flag.kind === 'port') {
    if (!/^\d{1,5}$/.test(source) || Number(source) > 65535) {
      return { problem: `--${name}=${source}: give a port number from 0 to 65535` };
    }
    return { value: Number(source) };
  }
  if (flag.kind === 'integer') {
    const [least, greatest] = flag.range;
    const value = Number(source);
    // Digits alone: Number takes '', '0x10' and '1e3' as well.
    if (!/^-?\d+$/.test(source) || value < least || value > greatest) {
      return { problem: `--${name}=${source}: give a whole number from ${least} to ${greatest}` };
    }
    return { value };
  }
  if (flag.oneOf !== undefined && !flag.oneOf.includes(source)) {
    return { problem: `--${name}=${source}: give one of ${flag.oneOf.join(', ')}` };
  }
  return { value: source };
}
