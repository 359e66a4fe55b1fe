import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AdjRibOut } from '../src/bgp/adj-rib-out.ts';
import { internAttributes } from '../src/bgp/attributes.ts';
import type { Route, RouteAttributes } from '../src/bgp/route.ts';
import type { Family } from '../src/ip/address.ts';
import { formatPrefix } from '../src/ip/prefix.ts';
import { RouteTable } from '../src/speaker/bgp/route-table.ts';
import type { Telling } from '../src/speaker/bgp/routes.ts';
import { interleaved, long, progress, type Quantities, reporter } from './bench.ts';

/**
 * What it takes to know what a peer is to be told and was told, for 100,000 prefixes: memory, and the time of the
 * steps of a session. Beside the plain ways: a map of objects, which knows as much, and a map from numbers to numbers,
 * which knows of IPv4 prefixes of one length what is wished, and not what was sent. And the table of all Services.
 *
 *   fill     the whole wish, to an empty table
 *   take     all of it, as for a new session
 *   same     the whole wish again, of which nothing is new
 *   one      one prefix changed and taken, among all of them
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const report = reporter('bgp-rib');
const rounds = long ? 25 : 7;
const size = 100_000;

/** What a way to keep routes can do. */
type Rib = { set(routes: readonly Route[]): void; change(route: Route): void; take(): unknown };

const attributes = [100, 200, 300, 400].map((localPref) =>
  internAttributes({ localPref, med: undefined, communities: [1, 2], largeCommunities: [], prepend: 0 }),
);
const wishes = { 4: routes(4), 6: routes(6) };

const telling: Telling = new Map([
  ['tor-1', attributes[0] as RouteAttributes],
  ['tor-2', attributes[0] as RouteAttributes],
]);
/** The stores have these in any case. */
const names = Array.from({ length: size }, (_, i) => `team-${i % 100}/service-${i}`);

for (const family of [4, 6] as const) {
  progress(`IPv${family}: memory`);
  const heap = {
    ours: memoryOf(() => filled(ours(), family)),
    objects: memoryOf(() => filled(objectMap(), family)),
    ...(family === 4 ? { numbers: memoryOf(() => filled(numberMap(), family)) } : {}),
  };
  const memory = { value: heap.ours, unit: 'MB', better: 'lower' } as const;
  const name = `memory-100000-ipv${family}`;
  report({ case: `${name}/heap`, ...memory, baseline: heap.objects, against: 'Map of objects' });
  if (heap.numbers !== undefined) {
    report({ case: `${name}/beside-numbers`, ...memory, baseline: heap.numbers, against: 'Map of numbers' });
  }

  progress(`IPv${family}: time`);
  const times = await interleaved(rounds, {
    warmUp: async () => ({ ...steps(ours(), family), ...steps(objectMap(), family) }),
    ours: async () => steps(ours(), family),
    objects: async () => steps(objectMap(), family),
  });
  for (const step of ['fill', 'take', 'same', 'one']) {
    const [value, baseline] = [times.ours[step]!, times.objects[step]!];
    const compared = { baseline, against: 'Map of objects' };
    report({ case: `steps-100000-ipv${family}/${step}`, value, unit: 'ms', better: 'lower', ...compared });
  }
}

progress('the table of all Services');
report({
  case: 'services-100000/heap',
  value: memoryOf(tableOfServices),
  unit: 'MB',
  better: 'lower',
  baseline: memoryOf(mapOfServices),
  against: 'Map of Services to what was announced',
});

function routes(family: Family): readonly Route[] {
  const base = family === 4 ? 0x0a00_0000n : 0x2001_0db8n << 96n;
  const length = family === 4 ? 32 : 128;
  return Array.from({ length: size }, (_, i) => ({
    prefix: { family, value: base + BigInt(i), length },
    attributes: attributes[i % attributes.length] as RouteAttributes,
  }));
}

function filled(rib: Rib, family: Family): Rib {
  rib.set(wishes[family]);
  rib.take();
  return rib;
}

function steps(rib: Rib, family: Family): Quantities {
  const [first] = wishes[family] as [Route];
  const times = {
    fill: timed(() => rib.set(wishes[family])),
    take: timed(() => rib.take()),
    same: timed(() => rib.set(wishes[family])),
    one: 0,
  };
  const turns = 100;
  const all = timed(() => {
    for (let i = 0; i < turns; i++) {
      rib.change({ prefix: first.prefix, attributes: attributes[(i + 1) % 2] as RouteAttributes });
      rib.take();
    }
  });
  return { ...times, one: all / turns };
}

function ours(): Rib {
  const rib = new AdjRibOut();
  return {
    set: (all) => rib.set(all),
    change: (route) => rib.change([route], []),
    take: () => rib.take(),
  };
}

/** Prefix → an object of what is wished and sent; and the prefixes that differ. */
function objectMap(): Rib {
  const entries = new Map<string, { prefix: Route['prefix']; wished?: RouteAttributes; sent?: RouteAttributes }>();
  const pending = new Set<string>();
  const wish = ({ prefix, attributes: wished }: Route) => {
    const key = formatPrefix(prefix);
    const entry = entries.get(key) ?? { prefix: { ...prefix } };
    entries.set(key, entry);
    entry.wished = wished;
    if (entry.wished !== entry.sent) pending.add(key);
    return key;
  };
  return {
    set: (all) => {
      const wished = new Set(all.map(wish));
      for (const [key, entry] of entries) {
        if (wished.has(key)) continue;
        delete entry.wished;
        pending.add(key);
      }
    },
    change: wish,
    take: () => {
      const groups = new Map<RouteAttributes | undefined, Route['prefix'][]>();
      for (const key of pending) {
        const entry = entries.get(key)!;
        const group = groups.get(entry.wished) ?? [];
        groups.set(entry.wished, group);
        group.push(entry.prefix);
        if (entry.wished === undefined) entries.delete(key);
        else entry.sent = entry.wished;
      }
      pending.clear();
      return groups;
    },
  };
}

/** The number of an IPv4 address → the number of its attributes. */
function numberMap(): Rib {
  const numbers = new Map<number, number>();
  const wish = ({ prefix, attributes: wished }: Route) => numbers.set(Number(prefix.value), attributes.indexOf(wished));
  return { set: (all) => all.forEach(wish), change: wish, take: () => {} };
}

function tableOfServices(): unknown {
  const table = new RouteTable();
  for (const [i, { prefix }] of wishes[4].entries()) table.set(names[i]!, [{ prefix: { ...prefix }, telling }]);
  return table;
}

function mapOfServices(): unknown {
  return new Map(
    wishes[4].map(({ prefix }, i) => [
      names[i]!,
      [...telling].map(([peer, told]) => ({ peer, prefix: { ...prefix }, attributes: told })),
    ]),
  );
}

/** In millions of bytes, of the heap and of typed arrays. */
function memoryOf(make: () => unknown): number {
  const used = () => {
    for (let i = 0; i < 4; i++) collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const kept = make();
  const after = used();
  return kept === undefined ? 0 : (after - before) / 1e6;
}

function timed(run: () => unknown): number {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}
