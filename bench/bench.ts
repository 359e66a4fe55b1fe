import { readdirSync, readFileSync } from 'node:fs';
import { seededRandom, shuffled } from '../src/runtime/random.ts';

/**
 * What the benches share. A bench writes one JSON line per figure on stdout and nothing else there. A figure stands
 * beside what it is compared with, measured in the same run: machines differ and are busy, ratios travel.
 */
export type Figure = {
  /** Unique within the bench, parts separated by slashes, the measured quantity last. */
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** The same quantity of what `against` names. */
  readonly baseline?: number;
  readonly against?: string;
  /** What else was counted, each under a name of its own. */
  readonly also?: Readonly<Record<string, number>>;
};

/** With `--long`: more and longer runs, for figures to publish. Without, a bench ends within two minutes. */
export const long = process.argv.includes('--long');

/** What `NAME=value` on the command line says; undefined when nothing. */
export function setting(name: string): string | undefined {
  const prefix = `${name}=`;
  return process.argv.findLast((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}

/** A function that prints the bench's figures, adding `ratio`, which is `value / baseline` unless that is zero. */
export function reporter(bench: string): (figure: Figure) => void {
  return ({ case: name, value, unit, better, baseline, against, also }) => {
    const ratio = baseline ? { ratio: round(value / baseline) } : {};
    const compared = baseline === undefined ? {} : { baseline: round(baseline), ...ratio, against };
    console.log(JSON.stringify({ bench, case: name, value: round(value), unit, better, ...also, ...compared }));
  };
}

/** For people: what is being done. */
export function progress(text: string): void {
  console.error(text);
}

/** By name, as one run measures them. */
export type Quantities = Readonly<Record<string, number>>;

/**
 * Runs every variant `rounds` times, in another order each round, so that whatever disturbs the machine disturbs all
 * alike. Returns each variant's medians.
 */
export async function interleaved<Name extends string>(
  rounds: number,
  variants: Readonly<Record<Name, () => Promise<Quantities>>>,
): Promise<Record<Name, Quantities>> {
  const names = Object.keys(variants) as Name[];
  const runs = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Quantities[]>;
  const random = seededRandom(rounds);
  for (let i = 0; i < rounds; i++) {
    for (const name of shuffled(names, random)) runs[name].push(await variants[name]());
  }
  return Object.fromEntries(names.map((name) => [name, medians(runs[name])])) as Record<Name, Quantities>;
}

function medians(runs: readonly Quantities[]): Quantities {
  const names = Object.keys(runs[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name]!))]));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Processor time that the threads of a process, or a kernel thread, have used, in nanoseconds. */
export function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const used = (thread: string) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return threads.reduce((sum, thread) => sum + used(thread), 0);
}

const round = (value: number): number => Number(value.toPrecision(4));
