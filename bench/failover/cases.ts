import { blockEventLoop, powerOff, powerOn, saturate } from '../../src/lab/failures.ts';
import { sleep, systemClock } from '../../src/runtime/clock.ts';
import type { ServedLab } from '../../test/support/served-lab.ts';
import { long } from '../bench.ts';

/** Where a case happens. */
export type Stage = {
  readonly served: ServedLab;
  /** The node that it happens to. */
  readonly struck: string;
  readonly signal: AbortSignal;
  /** When a stopped speaker was let run again, milliseconds since 1970. */
  resumed: number | undefined;
};

/** What is told of a case, one figure each. */
export type Quantity =
  | 'p50'
  | 'p99'
  | 'lost'
  | 'unanswered-arp-p99'
  | 'moved'
  | 'two-owner-seconds'
  | 'resumed-until-silent';

export type Case = {
  readonly name: string;
  readonly quantities: readonly Quantity[];
  /** Before the client asks. */
  prepare?(stage: Stage): Promise<void>;
  /** Resolves when it has happened, or while its consequences unfold. */
  strike(stage: Stage): Promise<void>;
  /** Whether the addresses of the struck node must move. */
  readonly takesOver?: boolean;
  /** Every node is struck in turn, so every address counts. */
  readonly strikesAll?: boolean;
  /** While the client still asks, when all addresses are served. */
  after?(stage: Stage): Promise<void>;
  /** Makes the cluster whole again; the client does not ask any more. */
  recover?(stage: Stage): Promise<void>;
};

const outage = ['p50', 'p99', 'lost'] as const;
const handover = ['lost', 'p99', 'unanswered-arp-p99'] as const;
const stays = ['moved', 'lost'] as const;

const apiDownFor = long ? 60_000 : 5_000;
const busyFor = long ? 20_000 : 4_000;
const apartFor = long ? 15_000 : 5_000;

export const cases: readonly Case[] = [
  {
    name: 'control',
    quantities: ['p99', 'moved', 'lost'],
    strikesAll: true,
    strike: ({ signal }) => sleep(systemClock, 2_000, signal),
  },
  {
    name: 'cable-cut',
    quantities: outage,
    takesOver: true,
    strike: ({ served, struck }) => served.lab.network.cut(struck),
    recover: ({ served, struck }) => served.lab.network.plug(struck),
  },
  {
    name: 'power-off',
    quantities: outage,
    takesOver: true,
    strike: ({ served, struck }) => powerOff(served.lab, struck),
    recover: ({ served, struck }) => powerOn(served.lab, struck),
  },
  {
    name: 'kill-9',
    quantities: [...outage, 'unanswered-arp-p99'],
    takesOver: true,
    strike: ({ served, struck }) => served.lab.garpoon.kill(struck),
    recover: ({ served, struck }) => served.lab.garpoon.start(struck),
  },
  {
    name: 'sigterm',
    quantities: handover,
    takesOver: true,
    strike: ({ served, struck }) => served.lab.garpoon.kill(struck, 'SIGTERM'),
    recover: ({ served, struck }) => served.lab.garpoon.start(struck),
  },
  {
    name: 'drain',
    quantities: handover,
    takesOver: true,
    strike: ({ served, struck }) => served.drain(struck),
    recover: ({ served, struck }) => served.undrain(struck),
  },
  {
    name: 'rolling-restart',
    quantities: handover,
    strikesAll: true,
    async strike({ served }) {
      await served.putBehindDaemonSet();
      for (const node of served.nodes) {
        await served.lab.garpoon.kill(node, 'SIGTERM');
        await served.lab.garpoon.start(node);
        await served.ready(node);
      }
    },
    recover: ({ served }) => served.takeFromDaemonSet(),
  },
  {
    name: 'sigstop',
    quantities: [...outage, 'unanswered-arp-p99', 'resumed-until-silent'],
    takesOver: true,
    strike: async ({ served, struck }) => served.lab.garpoon.pause(struck),
    async after(stage) {
      await sleep(systemClock, 1_000, stage.signal);
      stage.resumed = Date.now();
      stage.served.lab.garpoon.resume(stage.struck);
      await sleep(systemClock, 2_000, stage.signal);
    },
    // For when the trial ends early.
    recover: async ({ served, struck }) => served.lab.garpoon.resume(struck),
  },
  {
    name: 'api-down',
    quantities: outage,
    takesOver: true,
    async prepare({ served, signal }) {
      await Promise.all(served.nodes.map((node) => served.lab.network.isolateApi(node)));
      await sleep(systemClock, apiDownFor, signal);
    },
    strike: ({ served, struck }) => powerOff(served.lab, struck),
    async recover({ served, struck }) {
      await Promise.all(served.nodes.map((node) => served.lab.network.restoreApi(node)));
      await powerOn(served.lab, struck);
    },
  },
  {
    name: 'stall',
    quantities: stays,
    strike: ({ served, struck }) => blockEventLoop(served.lab, struck, 2_000),
  },
  {
    name: 'saturated',
    quantities: stays,
    strike: ({ served }) => saturate(served.lab, busyFor),
  },
  {
    name: 'partition',
    quantities: ['two-owner-seconds', ...stays],
    async strike(stage) {
      const { served, struck, signal } = stage;
      await served.lab.network.partition(struck, othersOf(stage)[0]!);
      await sleep(systemClock, apartFor, signal);
    },
    recover: ({ served }) => served.lab.network.heal(),
  },
  {
    name: 'partition-from-all',
    quantities: ['two-owner-seconds', ...stays],
    async strike(stage) {
      const { served, struck, signal } = stage;
      for (const other of othersOf(stage)) await served.lab.network.partition(struck, other);
      await sleep(systemClock, apartFor, signal);
    },
    recover: ({ served }) => served.lab.network.heal(),
  },
];

function othersOf({ served, struck }: Stage): readonly string[] {
  return served.nodes.filter((node) => node !== struck);
}
