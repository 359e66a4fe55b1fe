import { sleep, systemClock } from '../../src/runtime/clock.ts';
import { eventually } from '../../test/support/eventually.ts';
import { outageOf } from '../../test/support/outage.ts';
import type { ServedLab } from '../../test/support/served-lab.ts';
import {
  contestedFor,
  contestedSeconds,
  longestSilence,
  movedAddresses,
  type Sighting,
} from '../../test/support/sightings.ts';
import type { Case, Stage } from './cases.ts';
import { milestones } from './milestones.ts';

/** Requests a second to each address. */
const rate = 100;
/** How often a second a bystander asks who has each address. */
const watchRate = 50;
/** Before anything happens, and after it is over; milliseconds. */
const lead = 500;
const tail = 1_000;
/** An address that was not served in the last so many milliseconds is not served. */
const fresh = 150;
/** How long the addresses of a lost node may be without an owner; milliseconds. */
const patience = 40_000;

/** What the client noticed of one trial. Milliseconds, and numbers of requests. */
export type Measured = {
  /** Of every address that was on the struck node; of all when all nodes are. */
  readonly outages: readonly number[];
  /** Requests without an answer, for any address. */
  readonly lost: number;
  /** For how long nobody answered those who asked who has an address; of the same addresses as `outages`. */
  readonly silences: readonly number[];
  /** Addresses for which another node has answered than before. */
  readonly moved: number;
  /** Seconds with two owners, without the first. */
  readonly contestedSeconds: number;
  /** How long after it ran again the struck speaker answered for what it had lost. */
  readonly contestedFor: number;
  /** For people: step by step. */
  readonly story: string;
};

/** One trial from a whole cluster to what the client noticed. Afterwards the cluster is as before. */
export async function trial(served: ServedLab, one: Case, index: number, signal: AbortSignal): Promise<Measured> {
  const owners = await served.settled();
  const busy = served.nodes.filter((node) => [...owners.values()].includes(node));
  const struck = busy[index % busy.length]!;
  const stage: Stage = { served, struck, signal, resumed: undefined };
  await one.prepare?.(stage);
  const watch = await served.watch(watchRate);
  const asker = await served.ask(rate);
  await sleep(systemClock, lead, signal);
  const begun = Date.now();
  await one.strike(stage);
  const away = () =>
    [...owners].every(([target, node]) => node !== struck || watch.owners().get(target) !== served.macOf(node));
  const takenOver = async () => {
    if (one.takesOver) await eventually('other nodes have taken over', away, patience);
    await eventually('every address is served', () => asker.servedUntil() > Date.now() - fresh, patience);
  };
  // Never is an answer too: an outage that lasts to the end.
  await takenOver().catch((error: Error) => console.error(`failover: ${one.name}: ${error.message}`));
  await one.after?.(stage);
  await sleep(systemClock, tail, signal);
  const requests = await asker.stop();
  const sightings = await watch.stop();
  const affected = [...owners].filter(([, node]) => one.strikesAll || node === struck).map(([target]) => target);
  const noticed = [...requests].map(([target, own]) => ({ target, ...outageOf(own, begun - lead / 2) }));
  const ofStruck = noticed.filter(({ target }) => affected.includes(target));
  const silent = longestSilence(sightings);
  const later = sightings.filter(({ at }) => at >= begun);
  const measured = {
    outages: ofStruck.map(({ longest }) => longest),
    lost: noticed.reduce((sum, { lost }) => sum + lost, 0),
    silences: affected.map((target) => Math.max(0, (silent.get(target) ?? 0) - 1000 / watchRate)),
    moved: movedAddresses(sightings),
    contestedSeconds: contestedSeconds(later, begun + 1000),
    contestedFor: stage.resumed === undefined ? 0 : contestedFor(fromResumed(later, stage.resumed), stage.resumed),
    story: milestones({ served, struck, begun, requests, sightings, affected }),
  };
  await one.recover?.(stage);
  return measured;
}

/** With the last sighting of each address before it, which tells whose it was by then. */
function fromResumed(sightings: readonly Sighting[], resumed: number): readonly Sighting[] {
  const before = Map.groupBy(
    sightings.filter(({ at, kind }) => at < resumed && kind === 'answer'),
    ({ target }) => target,
  );
  return [...[...before.values()].map((own) => own.at(-1)!), ...sightings.filter(({ at }) => at >= resumed)];
}
