import { bgpPeers } from '../src/kubernetes/config-kinds.ts';
import { BgpLog } from '../test/support/bgp-log.ts';
import { system } from '../test/support/cluster.ts';
import { eventually } from '../test/support/eventually.ts';
import { RouteLog } from '../test/support/route-log.ts';
import { nodeAsn, RoutedCluster, routerAsn } from '../test/support/routed-cluster.ts';
import { bird } from '../test/support/routers/bird.ts';
import { frr } from '../test/support/routers/frr.ts';
import type { Neighbor, Router, RouterKind } from '../test/support/routers/router.ts';
import { cpuTime, long, median, progress, reporter, setting } from './bench.ts';

/**
 * How soon a router does what the cluster wants. A speaker of ours on one node, and BIRD or FRR as the speaker of another,
 * announce to the same FRR; its kernel tells of the routes.
 *
 *   announce-1     a Service gets its address in the API, until the UPDATE is sent and until the route is in the kernel.
 *                  Beside BIRD, from the moment that it is told to read a configuration with one more route
 *   announce-10k   10,000 Services; a fresh session, from its OPEN until the last route is in the kernel. Beside BIRD
 *   cut-bfd        a cut that no interface sees, with BFD at 50 ms x 3, until the route is gone. Beside FRR
 *
 *   npm run bench -- bgp-convergence [case=NAME] [trials=N] [--long]
 */
const report = reporter('bgp-convergence');
const patience = 60_000;
const timers = { interval: 50, multiplier: 3 } as const;

const cases = { 'announce-1': announceOne, 'cut-bfd': cutByBfd, 'announce-10k': announceMany } as const;
type Case = keyof typeof cases;
const only = setting('case');
if (only !== undefined && !Object.hasOwn(cases, only)) {
  throw new RangeError(`case=${only}: one of ${Object.keys(cases).join(', ')}`);
}

// Cut again and again, a speaker waits longer and longer, unless told otherwise.
const cluster = await RoutedCluster.start({ nodes: 2, neighbor: { bfd: timers }, peer: { connectTime: '1s' } });
const log = await RouteLog.start(cluster.bed.router);
try {
  // In its place comes what ours is compared with.
  await cluster.speaker(1).kill();
  for (const name of only === undefined ? (Object.keys(cases) as Case[]) : [only as Case]) await cases[name]();
} finally {
  await log.stop();
  await cluster.close();
}

async function announceOne(): Promise<void> {
  const trials = Number(setting('trials') ?? (long ? 50 : 15));
  progress(`${trials} times one route`);
  const [ours, theirs] = ['192.0.2.200', '192.0.2.201'];
  const { pid } = cluster.speaker(0);
  await cluster.endpoints('one', [0]);
  await cluster.api.service('one');
  await cluster.watched([0]);
  const other = await otherSpeaker(bird);
  const sent = await Promise.all([0, 1].map((i) => wire(i)));
  const times: Record<'ours' | 'theirs', { update: number; route: number }[]> = { ours: [], theirs: [] };
  try {
    for (let trial = 0; trial < trials; trial++) {
      await idle(pid);
      const announce = () => cluster.api.setAddresses('one', [ours]);
      times.ours.push(await timed(ours, sent[0]!, announce));
      await cluster.api.setAddresses('one', []);
      await gone(ours);
      times.theirs.push(await timed(theirs, sent[1]!, () => other.announce({ prefix: `${theirs}/32` })));
      await other.withdraw(`${theirs}/32`);
      await gone(theirs);
    }
  } finally {
    for (const each of sent) await each.stop();
    await other.stop();
    await cluster.api.deleteService('one');
  }
  for (const quantity of ['update', 'route'] as const) {
    const of = (all: { update: number; route: number }[]) => median(all.map((each) => each[quantity]));
    report({
      case: `announce-1/${quantity}`,
      value: of(times.ours),
      unit: 'ms',
      better: 'lower',
      baseline: of(times.theirs),
      against: 'BIRD, reconfigured',
    });
  }
}

/** From the beginning of `announce`, in milliseconds. */
async function timed(address: string, sent: BgpLog, announce: () => Promise<unknown>) {
  log.clear();
  const begun = performance.now();
  await announce();
  const added = await eventually('the route is there', () => log.of(address).find((each) => !each.gone), patience);
  // A KEEPALIVE has 19 bytes.
  const update = await eventually('the UPDATE is seen', () => sent.firstSegment(24, begun), patience);
  return { update: update - begun, route: added.at - begun };
}

async function cutByBfd(): Promise<void> {
  const trials = Number(setting('trials') ?? (long ? 50 : 10));
  progress(`${trials} cuts`);
  const [ours, theirs] = ['192.0.2.210', '192.0.2.211'];
  await cluster.endpoints('cut', [0]);
  await cluster.api.service('cut');
  await cluster.api.setAddresses('cut', [ours]);
  const other = await otherSpeaker(frr, timers);
  const times: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
  try {
    await other.announce({ prefix: `${theirs}/32` });
    for (let trial = 0; trial < trials; trial++) {
      for (const [i, address, into] of [
        [0, ours, times.ours],
        [1, theirs, times.theirs],
      ] as const) {
        await watchedOver4(i);
        await eventually('the route is there', () => cluster.nextHops(address).length === 1, patience);
        log.clear();
        const begun = performance.now();
        cluster.bed.cut(i);
        const cut = (begun + performance.now()) / 2;
        const lost = await eventually('the route is gone', () => log.of(address).find((each) => each.gone), patience);
        into.push(lost.at - cut);
        cluster.bed.repair(i);
      }
    }
  } finally {
    await other.stop();
    await cluster.api.deleteService('cut');
  }
  const worst = (all: readonly number[]) => Math.max(...all);
  for (const [name, of] of [
    ['median', median],
    ['worst', worst],
  ] as const) {
    const [value, baseline] = [of(times.ours), of(times.theirs)];
    report({ case: `cut-bfd/${name}`, value, unit: 'ms', better: 'lower', baseline, against: 'FRR and its bfdd' });
  }
}

async function announceMany(): Promise<void> {
  const [count, trials] = [10_000, Number(setting('trials') ?? (long ? 9 : 3))];
  const addresses = Array.from({ length: count }, (_, i) => `10.64.${i >> 8}.${i & 255}`);
  // Without BFD: a busy machine would end the session by it.
  const spec = { myASN: nodeAsn, peerASN: routerAsn, peerAddress: cluster.bed.routerAddresses[4] };
  const peer = { metadata: { namespace: system, name: 'router-v4' }, spec };
  await cluster.api.client.delete(bgpPeers, `${system}/router-v4`);
  await cluster.api.client.delete(bgpPeers, `${system}/router-v6`);
  progress(`${count} Services`);
  await cluster.api.pool('many', ['10.64.0.0/16']);
  const waiting = [...addresses.entries()];
  const create = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      await cluster.endpoints(`s${next[0]}`, [0]);
      await cluster.api.service(`s${next[0]}`, { allocateLoadBalancerNodePorts: false });
      await cluster.api.setAddresses(`s${next[0]}`, [next[1]]);
    }
  };
  await Promise.all(Array.from({ length: 16 }, create));
  const times: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
  const other = await otherSpeaker(bird);
  try {
    await other.announce(...addresses.map((address) => ({ prefix: `${address}/32` })));
    await installed(addresses);
    for (let trial = 0; trial < trials; trial++) {
      progress(`round ${trial + 1} of ${trials}`);
      await other.kill('SIGKILL');
      await gone(addresses.at(-1)!, addresses.length);
      await idle(cluster.speaker(0).pid);
      times.ours.push(await fresh(0, addresses, () => cluster.api.client.create(bgpPeers, peer)));
      log.clear();
      await cluster.api.client.delete(bgpPeers, `${system}/router-v4`);
      await gone(addresses.at(-1)!, addresses.length);
      await idle(cluster.speaker(0).pid);
      times.theirs.push(await fresh(1, addresses, () => other.restart()));
      log.clear();
    }
  } finally {
    await other.stop();
  }
  report({
    case: 'announce-10k/route',
    value: median(times.ours),
    unit: 'ms',
    better: 'lower',
    baseline: median(times.theirs),
    against: 'BIRD',
  });
}

/** From the OPEN of the node until the last of the routes is there. */
async function fresh(i: number, addresses: readonly string[], begin: () => Promise<unknown>): Promise<number> {
  const sent = await wire(i);
  try {
    log.clear();
    const begun = performance.now();
    await begin();
    const last = await installed(addresses);
    const opened = await eventually('the OPEN is seen', () => sent.firstSegment(1, begun), patience);
    return last - opened;
  } finally {
    await sent.stop();
  }
}

/** When the last of them came; by `performance.now()`. */
async function installed(addresses: readonly string[]): Promise<number> {
  const wanted = new Set(addresses);
  let read = 0;
  let at = 0;
  await eventually(
    'all routes are there',
    () => {
      for (; read < log.changes.length; read++) {
        const change = log.changes[read]!;
        if (!change.gone && wanted.delete(change.prefix)) at = change.at;
      }
      return wanted.size === 0;
    },
    patience,
  );
  return at;
}

/** Resolves when the router's kernel has no route to the address, and has told of so many that are gone. */
async function gone(address: string, count = 1): Promise<void> {
  const enough = () => log.changes.filter((each) => each.gone).length >= count;
  await eventually('the routes are gone', () => enough() && cluster.nextHops(address).length === 0, patience);
  log.clear();
}

/** Resolves when the process has done next to nothing for a moment: what it tells the API of is told. */
async function idle(pid: number): Promise<void> {
  let before = cpuTime(pid);
  let since = performance.now();
  await eventually(
    'the speaker is idle',
    () => {
      if (performance.now() - since < 500) return false;
      const used = cpuTime(pid) - before;
      before += used;
      since = performance.now();
      return used < 25e6;
    },
    patience,
  );
}

function wire(i: number): Promise<BgpLog> {
  return BgpLog.start(cluster.bed.router, { interface: 'eth0', from: cluster.bed.nodeAddresses(i)[4] });
}

async function watchedOver4(i: number): Promise<void> {
  const address = cluster.bed.nodeAddresses(i)[4];
  await eventually(
    `BFD with ${address} is up`,
    async () => {
      const { up, detectionTime = 0 } = await cluster.router.bfd!(address);
      return up && Math.round(detectionTime) === timers.interval * timers.multiplier;
    },
    patience,
  );
}

/** What ours is compared with, as the speaker of the second node. */
async function otherSpeaker(kind: RouterKind, bfd?: Neighbor['bfd']): Promise<Router> {
  const { bed } = cluster;
  const addresses = bed.nodeAddresses(1);
  const usual = { address: bed.routerAddresses[4], asn: routerAsn, families: [4] } as const;
  const router = bfd === undefined ? usual : { ...usual, bfd };
  const description = { netns: bed.nodes[1]!, asn: nodeAsn, routerId: addresses[4], addresses, neighbors: [router] };
  const speaker = await kind.start(description);
  const isUp = async () => (await speaker.peer(router.address)).state === 'Established';
  await eventually(`${kind.name} has a session`, isUp, patience);
  return speaker;
}
