import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { nativeTool } from './native-tool.ts';
import type { Netns } from './netns.ts';

/**
 * What native/bench/generator.cc asks for: `count` targets from `first` on, `step` apart, in the name of `mac` and
 * `address`. Two stations do not count each other's answers.
 */
export type Targets = {
  readonly first: string;
  readonly count?: number;
  readonly step?: number;
  readonly mac?: string;
  readonly address?: string;
};

/** At most `rate` requests a second (0: as fast as it goes), for `seconds` or until `frames` are sent. */
export type FloodOptions = Targets & { readonly rate: number } & (
    | { readonly seconds: number }
    | { readonly frames: number }
  );

/** A run bounded by `frames` waits for late answers; one bounded by `seconds` is a rate and does not. */
export type FloodResult = { readonly sent: number; readonly answered: number; readonly seconds: number };

/** Microseconds. */
export type LatencyResult = {
  readonly probes: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Requests of the other station. */
  readonly background: number;
};

/** `cpu` keeps the program on one processor. */
export type Place = { readonly netns: Netns; readonly interfaceName: string; readonly cpu?: number };

export function flood(place: Place, options: FloodOptions): Promise<FloodResult> {
  return generate<FloodResult>('flood', place, options);
}

/**
 * `gap` is in microseconds, and varied by half. One probe is under way at a time. Another station meanwhile sends
 * `background` requests a second.
 */
export function latency(
  place: Place,
  options: Targets & { readonly probes: number; readonly gap: number; readonly background?: number },
): Promise<LatencyResult> {
  return generate<LatencyResult>('latency', place, options);
}

async function generate<T>(mode: string, place: Place, options: object): Promise<T> {
  const settings = Object.entries(options).map(([key, value]) => `${key}=${value}`);
  const pinned = place.cpu === undefined ? [] : ['taskset', '--cpu-list', String(place.cpu)];
  const [program, ...args] = place.netns.command(
    ...pinned,
    nativeTool('generator'),
    mode,
    place.interfaceName,
    ...settings,
  );
  const { stdout } = await promisify(execFile)(program!, args, { timeout: 60_000 });
  return JSON.parse(stdout) as T;
}
