import type { Ballot, BallotAddress, BallotNode } from '../../src/election/strategy.ts';

/** Nodes that are all the same, node-0 and so on. */
export function nodesOf(count: number): readonly BallotNode[] {
  return Array.from({ length: count }, (_, i) => ({ name: `node-${i}`, weight: 1 }));
}

/** New addresses that may be on any of so many nodes. Each is its Service's only one, unless the case says otherwise. */
export function ballot(count: number, nodes: number, serviceOf = (i: number) => `shop/web-${i}`): Ballot {
  const candidates = nodesOf(nodes).map(({ name }) => ({ node: name, weight: 0 }));
  const addresses = Array.from({ length: count }, (_, i) => ({
    address: `10.0.${i >> 8}.${i & 255}`,
    service: serviceOf(i),
    index: i,
    candidates,
  }));
  return { addresses, nodes: nodesOf(nodes) };
}

/** The same, with other candidates for some. */
export function narrowed(given: Ballot, names: (i: number) => readonly string[] | undefined): Ballot {
  const addresses = given.addresses.map((one, i) => ({
    ...one,
    candidates: names(i)?.map((node) => ({ node, weight: 0 })) ?? one.candidates,
  }));
  return { ...given, addresses };
}

/** The same, held by those owners; what these do not have is held by nobody. */
export function heldBy(given: Ballot, owners: ReadonlyMap<string, string | undefined>): Ballot {
  return { ...given, addresses: given.addresses.map((one) => ({ ...one, holder: owners.get(one.address) })) };
}

export function holdersOf(given: Ballot): ReadonlyMap<string, string | undefined> {
  return new Map(given.addresses.map(({ address, holder }) => [address, holder]));
}

/** By node, in the order of the nodes. */
export function loadsOf(owners: ReadonlyMap<string, string | undefined>, nodes: readonly BallotNode[]) {
  const loads = new Map(nodes.map(({ name }) => [name, 0]));
  for (const owner of owners.values()) if (owner && loads.has(owner)) loads.set(owner, loads.get(owner)! + 1);
  return loads;
}

/** How many of the addresses that somebody had somebody else has, or nobody. */
export function movesBetween(
  before: ReadonlyMap<string, string | undefined>,
  after: ReadonlyMap<string, string | undefined>,
): number {
  return [...before].filter(([address, owner]) => owner !== undefined && after.get(address) !== owner).length;
}

/**
 * What balanced promises, written down once more in the plainest way, with exact fractions: where each address may be,
 * and between what each node's count of addresses and that of each Service's addresses on it must be.
 */
export function promises(given: Ballot) {
  const places = new Map<BallotAddress, { readonly targets: readonly BallotNode[]; readonly home?: string }>();
  const siblings = new Map<string, number>();
  for (const one of given.addresses) {
    const place = placeOf(one, given.nodes);
    if (place.targets.length === 0) continue;
    places.set(one, place);
    siblings.set(one.service, (siblings.get(one.service) ?? 0) + 1);
  }
  const spread = new Map<string, Fraction>();
  const homes = new Map(given.nodes.map(({ name }) => [name, 0]));
  const divisible: Divisible[] = [];
  for (const [one, { targets, home }] of places) {
    const portion: Fraction = [1n, BigInt(Math.min(siblings.get(one.service)!, targets.length))];
    divisible.push({ targets, portion, held: home !== undefined });
    for (const { name } of targets) {
      const pair = `${one.service} ${name}`;
      spread.set(pair, sum(spread.get(pair) ?? zero, portion));
    }
    if (home !== undefined) homes.set(home, homes.get(home)! + 1);
  }
  const shares = sharesOf(divisible, given.nodes);
  const heldShares = sharesOf(
    divisible.filter(({ held }) => held),
    given.nodes,
  );
  const limits = new Map<string, number>();
  const least = new Map<string, number>();
  for (const { name, returning } of given.nodes) {
    const [n, d] = shares.get(name)!;
    const limit = ceil([11n * n, 10n * d]);
    limits.set(name, returning ? Math.max(limit, homes.get(name)!) : limit);
    const [heldN, heldD] = heldShares.get(name)!;
    least.set(name, returning ? 0 : Math.max(Number((9n * heldN) / (10n * heldD)), heldN >= heldD ? 1 : 0));
  }
  const spreadLimits = new Map([...spread].map(([pair, most]) => [pair, ceil(most)]));
  return { places, homes, limits, least, spreadLimits };
}

/** The fewest held addresses that must move for the limits' sake, by trying all there is. */
export function fewestMoves(given: Ballot): number {
  const { places, limits, spreadLimits } = promises(given);
  const items = [...places];
  const loads = new Map<string, number>();
  let fewest = Infinity;
  const place = (i: number, moves: number): void => {
    if (moves >= fewest) return;
    const item = items[i];
    if (item === undefined) {
      fewest = moves;
      return;
    }
    const [{ service, holder }, { targets }] = item;
    for (const { name } of targets) {
      const pair = `${service} ${name}`;
      const [load, together] = [loads.get(name) ?? 0, loads.get(pair) ?? 0];
      if (load >= limits.get(name)! || together >= spreadLimits.get(pair)!) continue;
      loads.set(name, load + 1).set(pair, together + 1);
      place(i + 1, moves + (holder === undefined || holder === name ? 0 : 1));
      loads.set(name, load).set(pair, together);
    }
  };
  place(0, 0);
  return fewest + given.addresses.filter((one) => one.holder !== undefined && !places.has(one)).length;
}

function placeOf(one: BallotAddress, nodes: readonly BallotNode[]) {
  const preference = (node: BallotNode) => one.candidates.find((candidate) => candidate.node === node.name)?.weight;
  const best = (among: readonly BallotNode[]) => {
    const weighty = among.filter(({ weight }) => weight > 0);
    const able = weighty.length > 0 ? weighty : among.map((node) => ({ ...node, weight: 1 }));
    const most = Math.max(...able.map((node) => preference(node)!));
    return able.filter((node) => preference(node) === most);
  };
  const living = nodes.filter((node) => preference(node) !== undefined);
  const holder = living.find(({ name }) => name === one.holder);
  if (holder !== undefined && (holder.weight > 0 || living.every(({ weight }) => weight === 0))) {
    const targets = best(living.filter((node) => node === holder || !node.returning));
    if (targets.some(({ name }) => name === holder.name)) return { targets, home: holder.name };
  }
  return { targets: best(living) };
}

type Fraction = readonly [numerator: bigint, denominator: bigint];
const zero: Fraction = [0n, 1n];

function sum([a, b]: Fraction, [c, d]: Fraction): Fraction {
  return b === d ? [a + c, b] : reduced([a * d + c * b, b * d]);
}

function ceil([n, d]: Fraction): number {
  return Number((n + d - 1n) / d);
}

type Divisible = { readonly targets: readonly BallotNode[]; readonly portion: Fraction; readonly held: boolean };

/**
 * The nodes that are to hold most per weight by what can be nowhere else hold just that, and the rest is divided among
 * the others in the same way. Tries every set of nodes.
 */
function sharesOf(addresses: readonly Divisible[], nodes: readonly BallotNode[]): ReadonlyMap<string, Fraction> {
  const shares = new Map<string, Fraction>();
  const weightOf = (among: readonly BallotNode[]) => among.reduce((all, { weight }) => all + BigInt(weight || 1), 0n);
  const confined = (among: ReadonlySet<string>): Fraction =>
    addresses.reduce((all, { targets, portion: [n, d] }) => {
      const elsewhere = BigInt(targets.filter(({ name }) => !among.has(name)).length) * n;
      return elsewhere < d ? sum(all, [d - elsewhere, d]) : all;
    }, zero);
  while (shares.size < nodes.length) {
    const rest = nodes.filter(({ name }) => !shares.has(name));
    const [baseN, baseD] = confined(new Set(shares.keys()));
    let most: Fraction = [-1n, 1n];
    let fullest: readonly BallotNode[] = [];
    for (let bits = 1; bits < 1 << rest.length; bits++) {
      const among = rest.filter((_, i) => bits & (1 << i));
      const [n, d] = sum(confined(new Set([...shares.keys(), ...among.map(({ name }) => name)])), [-baseN, baseD]);
      const level: Fraction = reduced([n, d * weightOf(among)]);
      if (level[0] * most[1] > most[0] * level[1]) [most, fullest] = [level, among];
    }
    for (const { name, weight } of fullest) shares.set(name, reduced([most[0] * BigInt(weight || 1), most[1]]));
  }
  return shares;
}

function reduced([n, d]: Fraction): Fraction {
  let [a, b] = [n < 0n ? -n : n, d];
  while (b > 0n) [a, b] = [b, a % b];
  return [n / a, d / a];
}
