import { hash as digest } from 'node:crypto';
import { balanced } from '../src/election/balanced.ts';
import { metallb } from '../src/election/metallb-strategy.ts';
import type { Ballot, ElectionStrategy } from '../src/election/strategy.ts';
import { interleaved, long, median, progress, type Quantities, reporter } from './bench.ts';
import { ownersByClass } from './preferred-by-class.ts';

/**
 * How even the elections are: how many addresses the busiest node has, beside the ideal, as the median of many
 * clusters that differ in the names of their nodes; and of Services with several addresses (`services-20x3-on-5`), beside
 * Deckhouse's algorithm, how many have two on one node (`same_node`). And how long a decision takes: all from nothing, one node's death,
 * one new address, a failing back, and the candidates of every Service others (traffic policy Local); by the clock, and
 * in processor time, which a busy machine changes less. All but the first are of a speaker that has decided before.
 */
const report = reporter('spread');
const clusters = long ? 1_000 : 100;
const rounds = long ? 25 : 7;
const hash = (text: string) => digest('sha256', text, 'buffer');

for (const [addresses, nodes] of [
  [20, 5],
  [100, 10],
] as const) {
  for (const strategy of [metallb, balanced]) {
    const busiest = Array.from({ length: clusters }, (_, cluster) =>
      busiestOf(strategy, ballot(addresses, nodes, cluster)),
    );
    report({
      case: `${strategy.name}-${addresses}-on-${nodes}`,
      value: median(busiest),
      unit: 'addresses',
      better: 'lower',
      baseline: Math.ceil(addresses / nodes),
      against: 'ideal',
    });
  }
}

for (const each of [3, 1]) {
  const scenario = `services-20x${each}-on-5`;
  const ballots = Array.from({ length: clusters }, (_, cluster) => ballot(20 * each, 5, cluster, each));
  const [ours, deckhouse, metallbs] = [balanced.owners, ownersByClass, metallb.owners].map((ownersOf) => {
    const counted = ballots.map((given) => crowding(given, ownersOf(given, hash)));
    return {
      value: median(counted.map(({ busiest }) => busiest)),
      also: { same_node: median(counted.map(({ crowded }) => crowded)) },
    };
  });
  const figure = { unit: 'addresses', better: 'lower' } as const;
  report({ ...figure, ...ours!, case: scenario, baseline: deckhouse!.value, against: "Deckhouse's algorithm" });
  report({
    ...figure,
    ...ours!,
    case: `${scenario}/against-metallb`,
    baseline: metallbs!.value,
    against: "MetalLB's hash",
  });
  const ideal = { baseline: 4 * each, against: 'ideal' };
  report({ ...figure, ...deckhouse!, ...ideal, case: `deckhouse-${scenario}` });
  report({ ...figure, ...metallbs!, ...ideal, case: `metallb-${scenario}` });
}

progress('decisions');
const many = ballot(10_000, 100, 0);
const held = settled(many);
const short = settled({ ...many, nodes: many.nodes.slice(1) });
const local = { ...many, addresses: many.addresses.map((one, i) => ({ ...one, candidates: threeOf(many, i) })) };
const extra = { ...many.addresses[0]!, address: '10.1.0.0', service: 'shop/new' };

const death = { ...held, nodes: held.nodes.slice(1) };
const localDeath = { ...settled(local), nodes: local.nodes.slice(1) };
const arrival = { ...held, addresses: [...held.addresses, extra] };
const failBack = { ...short, nodes: many.nodes };

const times = await interleaved(rounds, {
  warmUp: async () => timed(many),
  decide: async () => timed(many, (text) => hash(text)),
  local: async () => timed(local),
  localDeath: async () => timed(localDeath),
  unchanged: async () => timed(held),
  death: async () => timed(death),
  arrival: async () => timed(arrival),
  failBack: async () => timed(failBack),
});
for (const [name, kind] of [
  ['decide-10000-on-100', 'decide'],
  ['decide-10000-on-3-of-100-each', 'local'],
  ['one-death-on-3-of-100-each', 'localDeath'],
  ['one-death', 'death'],
  ['one-address', 'arrival'],
  ['one-fail-back', 'failBack'],
] as const) {
  for (const quantity of ['time', 'cpu']) {
    const baseline = times.unchanged[quantity]!;
    const value = times[kind][quantity]!;
    report({ case: `${name}/${quantity}`, value, unit: 'ms', better: 'lower', baseline, against: 'nothing to do' });
  }
}

function ballot(addresses: number, nodes: number, cluster: number, each = 1): Ballot {
  const names = Array.from({ length: nodes }, (_, i) => `node-${cluster}-${i}`);
  const candidates = names.map((node) => ({ node, weight: 0 }));
  return {
    addresses: Array.from({ length: addresses }, (_, i) => ({
      address: `10.0.${i >> 8}.${i & 255}`,
      service: `shop/web-${Math.floor(i / each)}`,
      index: i % each,
      candidates,
    })),
    nodes: names.map((name) => ({ name, weight: 1 })),
  };
}

function threeOf({ nodes }: Ballot, i: number) {
  return [7 * i, 11 * i + 1, 13 * i + 2].map((number) => ({ node: nodes[number % nodes.length]!.name, weight: 0 }));
}

function settled(given: Ballot): Ballot {
  const owners = balanced.owners(given, hash);
  return { ...given, addresses: given.addresses.map((one) => ({ ...one, holder: owners.get(one.address) })) };
}

function busiestOf(strategy: ElectionStrategy, given: Ballot): number {
  return crowding(given, strategy.owners(given, hash)).busiest;
}

/** How many addresses the busiest node has, and how many Services have two on one node. */
function crowding({ addresses }: Ballot, owners: ReadonlyMap<string, string>) {
  const loads = new Map<string, number>();
  const places = new Set<string>();
  const crowded = new Set<string>();
  for (const { address, service } of addresses) {
    const owner = owners.get(address)!;
    loads.set(owner, (loads.get(owner) ?? 0) + 1);
    const place = `${service} ${owner}`;
    if (places.has(place)) crowded.add(service);
    places.add(place);
  }
  return { busiest: Math.max(...loads.values()), crowded: crowded.size };
}

/** Milliseconds. */
function timed(given: Ballot, by = hash): Quantities {
  const [used, begun] = [process.cpuUsage(), performance.now()];
  balanced.owners(given, by);
  const time = performance.now() - begun;
  const { user, system } = process.cpuUsage(used);
  return { time, cpu: (user + system) / 1_000 };
}
