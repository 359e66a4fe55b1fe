import { readFileSync } from 'node:fs';
import { outageOf, type Request } from '../../test/support/outage.ts';
import type { ServedLab } from '../../test/support/served-lab.ts';
import { moves, type Sighting } from '../../test/support/sightings.ts';

export type Happened = {
  readonly served: ServedLab;
  readonly struck: string;
  /** Milliseconds since 1970. */
  readonly begun: number;
  readonly requests: ReadonlyMap<number, readonly Request[]>;
  readonly sightings: readonly Sighting[];
  /** Indexes of the addresses that count. */
  readonly affected: readonly number[];
};

/** Log events that are steps of a takeover, in the order in which they come. */
const events = [
  'member changed',
  'serviceAnnounced',
  'serviceWithdrawn',
  'silenced',
  'timers were late, running probes are void',
];

type Line = { readonly ts: string; readonly event: string; readonly [field: string]: unknown };

/**
 * For people: when after the blow each step was taken, first and last, from the speakers' logs, from the wire and from the
 * client. Milliseconds.
 */
export function milestones({ served, struck, begun, requests, sightings, affected }: Happened): string {
  const steps: string[] = [];
  for (const node of served.nodes) {
    const lines = linesOf(served.lab.garpoon.log(node)).filter(({ ts }) => Date.parse(ts) >= begun);
    for (const event of events) {
      for (const [what, own] of Map.groupBy(
        lines.filter((line) => line.event === event),
        describe,
      )) {
        steps.push(`${node} ${what} ${range(own.map(({ ts }) => Date.parse(ts) - begun))}`);
      }
    }
  }
  const owners = new Map<number, string>(); // as the first answers told
  for (const { target, mac, kind } of sightings) if (kind === 'answer' && !owners.has(target)) owners.set(target, mac);
  for (const [mac, own] of Map.groupBy(
    sightings.filter(
      ({ at, kind, mac, target }) => at >= begun && kind === 'announcement' && mac !== owners.get(target),
    ),
    ({ mac }) => mac,
  )) {
    const first = [...Map.groupBy(own, ({ target }) => target).values()].map((each) => each[0]!.at - begun);
    steps.push(`announcements by ${served.nodeOf(mac)} ${range(first)}`);
  }
  for (const [to, own] of Map.groupBy(
    moves(sightings),
    (move) => `${served.nodeOf(move.from)} to ${served.nodeOf(move.to)}`,
  )) {
    steps.push(`answers move from ${to} ${range(own.map(({ at }) => at - begun))}`);
  }
  const noticed = affected.map((target) => outageOf(requests.get(target) ?? [], begun - 250));
  const served_ = noticed.flatMap(({ until, lost }) => (lost > 0 && until !== undefined ? [until - begun] : []));
  const longest = Math.max(0, ...noticed.map((each) => each.longest));
  const lost = [...requests].flatMap(([target, own]) => {
    const mine = own.filter(({ sent, answered }) => sent >= begun - 250 && answered === undefined);
    if (mine.length === 0) return [];
    return [`${served.addresses[target]}: ${mine.length} ${range(mine.map(({ sent }) => sent - begun))}`];
  });
  steps.push(`client served again ${range(served_)}, longest outage ${longest.toFixed(1)}`);
  if (lost.length > 0) steps.push(`lost ${lost.join('; ')}`);
  return `${struck} struck:\n    ${steps.join('\n    ')}`;
}

function describe({ event, change, member }: Line): string {
  return event === 'member changed' ? `${change} ${member}` : event;
}

function range(times: readonly number[]): string {
  if (times.length === 0) return '-';
  const [first, last] = [Math.min(...times), Math.max(...times)];
  return times.length === 1 ? `+${first.toFixed(0)}` : `+${first.toFixed(0)}..${last.toFixed(0)} (${times.length})`;
}

function linesOf(path: string): readonly Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        return [JSON.parse(text) as Line];
      } catch {
        return []; // what Node itself wrote, or half a line
      }
    });
}
