import type { Field } from './field.ts';

/** Of Go's `time.ParseDuration`, less the sign: nothing here lasts a negative time. `+`, `0` and `1h30m` are texts of it. */
const duration = /^\+?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g;

/** In nanoseconds. */
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** As in deploy/crds. */
const maxLength = 64;

/** `90s`, `1m30s`, `1.5h` in milliseconds, exact to the nanosecond; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text.length > maxLength || !duration.test(text)) return undefined;
  let nanoseconds = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(part)) {
    const size = units[unit] ?? 0n;
    nanoseconds += BigInt(whole) * size + (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  return Number(nanoseconds) / 1e6;
}

/** A duration from the text at the field, in milliseconds; what is none is noted. */
export function readDuration(field: Field): number | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const parsed = parseDuration(text);
  if (parsed === undefined)
    field.refuse('is no duration: write a number with a unit (ms, s, m, h), such as 90s or 1h30m');
  return parsed;
}
