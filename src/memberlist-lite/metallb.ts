import { createHash } from 'node:crypto';
import { concat } from './bytes.ts';
import { type Config, lan } from './config.ts';

/**
 * What a MetalLB speaker is given for its ring: the file `secretkey` of the Secret `memberlist`, and since v0.16 the
 * file `config.json` of the ConfigMap `metallb-memberlist-config`.
 */

/**
 * The keys for the content of `secretkey`, all of its bytes, a trailing newline included. None when it is empty: then
 * MetalLB does not encrypt.
 */
export function metallbKeys(secret: Uint8Array): readonly Uint8Array[] | undefined {
  return secret.length === 0 ? undefined : [metallbKey(secret)];
}

/**
 * The secret followed by the SHA-256 of nothing, cut. MetalLB means to hash but appends; compatibility wants the same.
 * Before v0.14 it cut to 16 bytes.
 */
export function metallbKey(secret: Uint8Array, keyBytes: 16 | 32 = 32): Uint8Array {
  return concat([secret, createHash('sha256').digest()]).slice(0, keyBytes);
}

export type MetallbConfig = { readonly config: Config } | { readonly problems: readonly string[] };

type Range = readonly [least: number, greatest: number];
type Kind = { readonly duration: Range } | { readonly number: Range } | { readonly boolean: true };

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const boolean = { boolean: true } as const;

/** What config.json may say, by its names. Its durations are Go's, here they are milliseconds. */
const fields = {
  TCPTimeout: { duration: [100, minute] },
  IndirectChecks: { number: [0, 100] },
  RetransmitMult: { number: [1, 100] },
  SuspicionMult: { number: [1, 100] },
  SuspicionMaxTimeoutMult: { number: [1, 100] },
  PushPullInterval: { duration: [second, 24 * hour] },
  ProbeTimeout: { duration: [10, minute] },
  ProbeInterval: { duration: [20, hour] },
  DisableTcpPings: boolean,
  AwarenessMaxMultiplier: { number: [1, 100] },
  GossipNodes: { number: [1, 100] },
  GossipInterval: { duration: [10, minute] },
  GossipToTheDeadTime: { duration: [0, 24 * hour] },
  GossipVerifyIncoming: boolean,
  GossipVerifyOutgoing: boolean,
  EnableCompression: boolean,
  /** Of these two we have no counterpart: what arrives is handled at once, and our queues are bounded. */
  HandoffQueueDepth: { number: [0, 1_000_000] },
  QueueCheckInterval: { duration: [0, 24 * hour] },
  UDPBufferSize: { number: [512, 65_507] },
} as const satisfies Record<string, Kind>;
type Name = keyof typeof fields;

/** More than any such file has. */
const maxTextLength = 64 * 1024;

/**
 * Reads config.json as MetalLB does: case does not matter in names, unknown names are passed over, a number that is
 * absent is 0 and a switch false. Then every value is held against its bounds, so that a forgotten number is a problem
 * here, where MetalLB goes on with 0.
 */
export function metallbConfig(text: string): MetallbConfig {
  if (text.length > maxTextLength) return { problems: [`config.json has more than ${maxTextLength} characters`] };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { problems: [`config.json is not JSON: ${(error as Error).message}`] };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { problems: ['config.json is not a JSON object: give {"ProbeInterval": "1s", …}'] };
  }
  const given = new Map(Object.entries(parsed).map(([name, value]) => [name.toLowerCase(), value as unknown]));
  const problems: string[] = [];
  const values = new Map<Name, number | boolean>();
  for (const [name, kind] of Object.entries(fields) as [Name, Kind][]) {
    const value = read(name, kind, given.get(name.toLowerCase()) ?? undefined);
    if (typeof value === 'string') problems.push(value);
    else values.set(name, value);
  }
  return problems.length > 0 ? { problems } : { config: configOf(values) };
}

function configOf(values: ReadonlyMap<Name, number | boolean>): Config {
  const number = (name: Name) => Number(values.get(name));
  const isOn = (name: Name) => values.get(name) === true;
  return {
    ...lan,
    tcpTimeout: number('TCPTimeout'),
    indirectChecks: number('IndirectChecks'),
    retransmitMult: number('RetransmitMult'),
    suspicionMult: number('SuspicionMult'),
    suspicionMaxTimeoutMult: number('SuspicionMaxTimeoutMult'),
    pushPullInterval: number('PushPullInterval'),
    probeTimeout: number('ProbeTimeout'),
    probeInterval: number('ProbeInterval'),
    stallTolerance: number('ProbeTimeout') / 2,
    tcpPings: !isOn('DisableTcpPings'),
    awarenessMaxMultiplier: number('AwarenessMaxMultiplier'),
    gossipNodes: number('GossipNodes'),
    gossipInterval: number('GossipInterval'),
    gossipToTheDeadTime: number('GossipToTheDeadTime'),
    verifyIncoming: isOn('GossipVerifyIncoming'),
    verifyOutgoing: isOn('GossipVerifyOutgoing'),
    compression: isOn('EnableCompression'),
    packetBudget: number('UDPBufferSize'),
  };
}

/** The value, or what is wrong with it. */
function read(name: Name, kind: Kind, value: unknown): number | boolean | string {
  if ('boolean' in kind) {
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    return `${name}: ${JSON.stringify(value)}: give true or false`;
  }
  if ('number' in kind) {
    const [least, greatest] = kind.number;
    const remedy = `give a whole number from ${least} to ${greatest}`;
    const number = value ?? 0;
    if (Number.isInteger(number) && (number as number) >= least && (number as number) <= greatest) {
      return number as number;
    }
    return value === undefined ? absent(name, remedy, '0') : `${name}: ${JSON.stringify(value)}: ${remedy}`;
  }
  const [least, greatest] = kind.duration;
  const remedy = `give a duration from ${least / second}s to ${greatest / second}s, such as "1s" or "200ms"`;
  if (value === undefined) return absent(name, remedy);
  const milliseconds = typeof value === 'string' ? goDuration(value) : undefined;
  const usable = milliseconds !== undefined && milliseconds >= least && milliseconds <= greatest;
  return usable ? milliseconds : `${name}: ${JSON.stringify(value)}: ${remedy}`;
}

function absent(name: Name, remedy: string, taken?: string): string {
  return `${name} is missing${taken === undefined ? '' : `, which counts as ${taken}`}: ${remedy}`;
}

const units = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: second, m: minute, h: hour } as const;

/** Milliseconds of a duration as Go writes it, like `1m30s`; undefined when it is none, or negative. */
function goDuration(text: string): number | undefined {
  if (/^\+?0$/.test(text)) return 0;
  if (!/^\+?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units], 0);
}
