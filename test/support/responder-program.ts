import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import type { BfdSession } from '../../src/layer2/bfd.ts';
import { type Announcement, Responder, type ResponderOptions } from '../../src/layer2/responder.ts';

/**
 * A Responder in a process of its own, so that it can live in a namespace and die alone. The first argument is the
 * ProgramOptions as JSON; each line on stdin is a Command, each line on stdout a Report. Ends with stdin.
 */
export type ProgramOptions = Omit<ResponderOptions, 'onEvent'> & {
  /** Renews every so many milliseconds, as long as JavaScript runs. Not if it is not said. */
  readonly renewEvery?: number;
};

export type Command = { readonly id: number } & (
  | { readonly do: 'setAnnouncements'; readonly table: readonly Wish[] }
  /** The same for addresses in a row, on every interface, which would be a long line. */
  | ({ readonly do: 'serveRange' } & AddressRange)
  | { readonly do: 'announce'; readonly addresses: readonly string[]; readonly rounds?: number | undefined }
  | ({ readonly do: 'announceRange' } & AddressRange)
  | { readonly do: 'probe'; readonly addresses: readonly string[] }
  | { readonly do: 'ask'; readonly addresses: readonly string[]; readonly interfaces: readonly string[] | 'all' }
  | { readonly do: 'setBfdSessions'; readonly sessions: readonly BfdWish[] }
  | {
      readonly do:
        | 'renew'
        | 'status'
        | 'counters'
        | 'addressCounters'
        | 'interfaces'
        | 'bfdSessions'
        | 'bfdDrops'
        | 'close';
    }
  /** Frees what JavaScript no longer needs, so that the memory of the process is what it keeps. */
  | { readonly do: 'collectGarbage' }
  /** Answered first; then the event loop stands still for as many milliseconds. */
  | { readonly do: 'block'; readonly milliseconds: number }
  /** Answered first; then JavaScript is busy for as many milliseconds, and looks at nothing else for `piece` at a time. */
  | { readonly do: 'stall'; readonly milliseconds: number; readonly piece: number }
  | ({ readonly do: 'timeSwaps'; readonly times: number } & AddressRange)
);

/** `count` addresses from `first` on, `step` apart. */
export type AddressRange = { readonly first: string; readonly count: number; readonly step?: number };

/** Milliseconds of this thread, `times` of each. */
export type SwapTimes = {
  /** To hand over a table of the range, and in turn one of the range moved on by one. */
  readonly swap: readonly number[];
  /** To make a Map of the same list. */
  readonly rebuild: readonly number[];
};

export type Wish = {
  readonly address: string;
  readonly interfaces: readonly string[] | 'all';
  readonly held?: boolean;
};

/** A BfdSession that JSON can say: addresses as text, keys in hexadecimal. */
export type BfdWish = Omit<BfdSession, 'peer' | 'local' | 'authentication'> & {
  readonly peer: string;
  readonly local?: string;
  readonly authentication?: {
    readonly type: NonNullable<BfdSession['authentication']>['type'];
    readonly keyId: number;
    readonly key: string;
    readonly accept?: readonly { readonly keyId: number; readonly key: string }[];
  };
};

/** A bigint in it is written as `{"bigint": "1"}`. */
export type Report =
  | { readonly id: number; readonly result?: unknown; readonly error?: string }
  | { readonly event: unknown };

const { renewEvery, ...options } = JSON.parse(process.argv[2]!) as ProgramOptions;
const responder = new Responder({ ...options, onEvent: (event) => report({ event }) });
const renewing = renewEvery === undefined ? undefined : setInterval(() => responder.renew(), renewEvery);

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  try {
    report({ id: command.id, result: run(command) });
  } catch (thrown) {
    report({ id: command.id, error: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown) });
  }
  if (command.do === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, command.milliseconds);
  if (command.do === 'stall') await stall(command);
}
clearInterval(renewing);
responder.close();

function run(command: Command): unknown {
  switch (command.do) {
    case 'setAnnouncements':
      return responder.setAnnouncements(command.table.map((wish) => ({ ...wish, address: address(wish.address) })));
    case 'serveRange':
      return responder.setAnnouncements(announcements(command));
    case 'announce':
      return responder.announce(command.addresses.map(address), command.rounds);
    case 'announceRange':
      return responder.announce(addresses(command));
    case 'probe':
      return responder.probe(command.addresses.map(address));
    case 'ask':
      return responder.ask(command.addresses.map(address), command.interfaces);
    case 'setBfdSessions':
      return responder.setBfdSessions(command.sessions.map(bfdSession));
    case 'bfdSessions':
      return responder.bfdSessions();
    case 'bfdDrops':
      return responder.bfdDrops();
    case 'renew':
      return responder.renew();
    case 'status':
      return responder.status();
    case 'counters':
      return responder.counters();
    case 'addressCounters':
      return Array.from(responder.addressCounters());
    case 'interfaces':
      return responder.interfaces();
    case 'close':
      clearInterval(renewing);
      return responder.close();
    case 'collectGarbage':
      return collectGarbage();
    case 'timeSwaps':
      return timeSwaps(command);
    case 'block':
    case 'stall':
      return undefined;
    default:
      return command satisfies never;
  }
}

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

function bfdSession({ peer, local, authentication, ...rest }: BfdWish): BfdSession {
  const withKey = <T extends { readonly key: string }>(each: T) => ({ ...each, key: Buffer.from(each.key, 'hex') });
  return {
    ...rest,
    peer: address(peer),
    ...(local === undefined ? {} : { local: address(local) }),
    ...(authentication === undefined
      ? {}
      : { authentication: { ...withKey(authentication), accept: (authentication.accept ?? []).map(withKey) } }),
  };
}

function addresses({ first, count, step = 1 }: AddressRange): Address[] {
  const { family, value } = address(first);
  return Array.from({ length: count }, (_, i) => ({ family, value: value + BigInt(i * step) }));
}

function announcements(range: AddressRange): Announcement[] {
  return addresses(range).map((each) => ({ address: each, interfaces: 'all' }));
}

function timeSwaps({ first, count, step = 1, times }: AddressRange & { readonly times: number }): SwapTimes {
  const table = announcements({ first, count: count + 1, step });
  const tables = [table.slice(1), table.slice(0, -1)];
  const result = { swap: [] as number[], rebuild: [] as number[] };
  for (let i = 0; i < times; i++) {
    const list = tables[i % 2]!;
    const begun = threadTime();
    responder.setAnnouncements(list);
    const swapped = threadTime();
    const map = new Map(list.map((each) => [each.address.value, each.interfaces]));
    const rebuilt = threadTime();
    if (map.size !== list.length) throw new Error('an address comes twice');
    result.swap.push(swapped - begun);
    result.rebuild.push(rebuilt - swapped);
  }
  return result;
}

/** Milliseconds of processor time that this thread has used. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function stall({ milliseconds, piece }: { milliseconds: number; piece: number }): Promise<void> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    const until = Math.min(end, performance.now() + piece);
    while (performance.now() < until);
    await new Promise(setImmediate);
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Pipes are written synchronously, so a report is out before the event loop is blocked. */
function report(message: Report): void {
  const plain = JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? { bigint: `${value}` } : value));
  process.stdout.write(`${plain}\n`);
}
