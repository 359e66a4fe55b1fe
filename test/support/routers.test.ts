import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BgpBed } from './bgp-bed.ts';
import { netSuite } from './net-suite.ts';
import { bird } from './routers/bird.ts';
import { routerKinds } from './routers/kinds.ts';
import type { Announcement, Feature, Neighbor, Router, RouterKind, RouteSeen } from './routers/router.ts';
import { eventually } from './suite.ts';

const test = netSuite('routers');
const routerAsn = 64500;
const nodeAsn = 4_200_000_000;

/** What BIRD, at the node, announces, and what the router does. */
const announced = {
  node: [
    { prefix: '192.0.2.10/32', communities: ['65000:100', '65535:0'], largeCommunities: ['64512:1:2'], med: 5 },
    { prefix: '2001:db8:ff::10/128', communities: ['65000:200'] },
  ],
  router: [
    { prefix: '192.0.2.99/32', communities: ['65000:99'], largeCommunities: ['64500:3:4'] },
    { prefix: '2001:db8:ff::99/128', communities: ['65000:98'], largeCommunities: ['64500:3:4'] },
  ],
} as const satisfies { [side: string]: readonly Announcement[] };

everyRouter('and BIRD tell each other routes, and forget those of one that goes', undefined, async (kind, lab) => {
  const common = { password: 'as-both-know', timers: { hold: 3, keepalive: 1 } };
  const [router, peer] = await lab.pair(kind, [
    { ...common, families: [4] },
    { ...common, families: [6] },
  ]);
  await peer.announce(...announced.node);
  await router.announce(...announced.router);

  await lab.know(router, kind, announced.node, nodeAsn);
  await lab.know(peer, bird, announced.router, routerAsn);
  const { uptime, ...seen } = await router.peer(lab.bed.nodeAddresses()[4]);
  assert.ok(uptime !== undefined && uptime >= 0 && uptime < 20, `up for ${uptime} s`);
  assert.equal(seen.state, 'Established');
  assert.equal(seen.holdTime, 3);
  assert.equal(seen.prefixesReceived, 1);
  if (kind.cannot.forwarding === undefined) {
    await eventually('its kernel has the route', () => lab.bed.forwarding('192.0.2.10').length === 1);
  }

  await peer.withdraw('192.0.2.10/32');
  await router.withdraw('192.0.2.99/32');
  await lab.know(router, kind, announced.node.slice(1), nodeAsn);
  await lab.know(peer, bird, announced.router.slice(1), routerAsn);

  await peer.kill('SIGKILL');
  await lab.know(router, kind, [], nodeAsn);
  await peer.restart();
  await lab.know(router, kind, announced.node.slice(1), nodeAsn);
  await router.restart();
  await lab.know(router, kind, announced.node.slice(1), nodeAsn);
  await lab.know(peer, bird, announced.router.slice(1), routerAsn);
  await router.kill('SIGKILL');
  await lab.know(peer, bird, [], routerAsn);
});

everyRouter('keeps the routes of a neighbor that restarts gracefully', 'graceful restart', async (kind, lab) => {
  const [router, peer] = await lab.pair(kind, [{ families: [4], gracefulRestart: { restartTime: 3 } }]);
  await peer.announce(announced.node[0]);
  await lab.know(router, kind, announced.node.slice(0, 1), nodeAsn);
  const killed = performance.now();
  await peer.kill('SIGKILL');
  await eventually('the routes are gone', async () => (await router.routes(4)).length === 0);
  const kept = performance.now() - killed;
  assert.ok(kept > 1_500, `kept for ${kept} ms`);
});

everyRouter('takes IPv4 routes with next hops of IPv6', 'extended next hop', async (kind, lab) => {
  const [router, peer] = await lab.pair(kind, [{ families: [4, 6], extendedNextHop: true }]);
  await peer.announce(announced.node[0]);
  await lab.know(router, kind, announced.node.slice(0, 1), nodeAsn);
  const [route] = await router.routes(4);
  assert.ok(lab.nextHops(6).includes(route!.nextHop), route!.nextHop);
});

everyRouter('notices by BFD that nothing passes', 'bfd', async (kind, lab) => {
  const [router] = await lab.pair(kind, [{ families: [4], bfd: { interval: 100, multiplier: 3 } }]);
  const { 4: address } = lab.bed.nodeAddresses();
  await eventually('BFD is up', async () => {
    const [session, seen] = await Promise.all([router.peer(address), router.bfd!(address)]);
    return session.state === 'Established' && seen.up && seen.detectionTime === 300;
  });
  lab.bed.cut();
  await eventually('the session is down', async () => (await router.peer(address)).state !== 'Established', 3_000);
  assert.equal((await router.bfd!(address)).up, false);
});

// Only FRR looks for router advertisements, and sends them.
everyRouter('finds another by the interface alone', 'unnumbered', async (kind, lab) => {
  const unnumbered = { interface: 'eth0', families: [4, 6] as const, timers: { hold: 3, keepalive: 1 } };
  const [router, peer] = await Promise.all([
    lab.start(kind, 'router', [{ ...unnumbered, asn: nodeAsn }]),
    lab.start(kind, 'node', [{ ...unnumbered, asn: routerAsn }]),
  ]);
  await peer.announce(announced.node[0]);
  await eventually('the route is there', async () => (await router.routes(4)).length === 1, 20_000);
  assert.ok(lab.nextHops(6).includes((await router.routes(4))[0]!.nextHop));
  assert.equal((await router.peer('eth0')).state, 'Established');
});

if (routerKinds.every((kind) => kind.installed())) {
  test('nothing of any router is left when the process that started them is killed', async () => {
    const program = fileURLToPath(new URL('./routers/abandoned-program.ts', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { root, pids, namespaces } = JSON.parse(line) as { root: string; pids: number[]; namespaces: string[] };
    // FRR is two.
    assert.equal(pids.length, routerKinds.length + 1);
    const everything = pids.flatMap(withChildren);
    assert.ok(everything.length > pids.length, 'OpenBGPD and ExaBGP have processes of their own');
    child.kill('SIGKILL');
    await eventually('all have ended', () => everything.every(hasEnded) && processesNaming(root).length === 0);
    await eventually('the directory is gone', () => !existsSync(root));
    // The next process that makes one would delete them.
    for (const name of namespaces) execFileSync('ip', ['netns', 'delete', name]);
  });
}

/** One test, which all that can and are installed go through at the same time. */
function everyRouter(
  title: string,
  feature: Feature | undefined,
  body: (kind: RouterKind, lab: Lab) => Promise<void>,
): void {
  const able = routerKinds.filter(({ cannot }) => feature === undefined || cannot[feature] === undefined);
  for (const kind of able.filter((each) => !each.installed())) {
    test.skip(`${kind.name} ${title}`, `the Debian package ${kind.package} is missing`);
  }
  const installed = able.filter((kind) => kind.installed());
  if (installed.length === 0) return;
  test(`${installed.map(({ name }) => name).join(', ')}: each ${title}`, async () => {
    const runs = installed.map(async (kind) => {
      const lab = new Lab();
      try {
        await body(kind, lab);
      } catch (cause) {
        throw new Error(`${kind.name}: ${(cause as Error).message}`, { cause });
      } finally {
        await lab.close();
      }
    });
    const failures = (await Promise.allSettled(runs)).flatMap((each) =>
      each.status === 'rejected' ? [each.reason] : [],
    );
    if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('\n'));
  }, 60_000);
}

/** A router, and another at the node. */
class Lab {
  readonly bed = BgpBed.create();
  readonly #running: Router[] = [];

  /** The other is BIRD. A session is over the first of its families, or over IPv6 for next hops of IPv6. */
  pair(kind: RouterKind, sessions: readonly Omit<Neighbor, 'asn'>[]): Promise<[Router, Router]> {
    const towards = (addresses: { readonly 4: string; readonly 6: string }, asn: number) =>
      sessions.map((each) => ({ address: addresses[each.extendedNextHop ? 6 : each.families[0]!], asn, ...each }));
    return Promise.all([
      this.start(kind, 'router', towards(this.bed.nodeAddresses(), nodeAsn)),
      this.start(bird, 'node', towards(this.bed.routerAddresses, routerAsn)),
    ]);
  }

  async start(kind: RouterKind, side: 'router' | 'node', neighbors: readonly Neighbor[]): Promise<Router> {
    const addresses = side === 'router' ? this.bed.routerAddresses : this.bed.nodeAddresses();
    const asn = side === 'router' ? routerAsn : nodeAsn;
    const router = await kind.start({ netns: this.bed[side], asn, routerId: addresses[4], addresses, neighbors });
    this.#running.push(router);
    return router;
  }

  /** Waits until these are all the routes that it has, and fails with what it has otherwise. */
  async know(router: Router, kind: RouterKind, wanted: readonly Announcement[], asn: number): Promise<void> {
    let seen: readonly RouteSeen[] = [];
    const prefixes = wanted.map(({ prefix }) => prefix).sort();
    try {
      await eventually(
        `${kind.name} knows ${prefixes.join(' and ') || 'nothing'}`,
        async () => {
          seen = [...(await router.routes(4)), ...(await router.routes(6))];
          return JSON.stringify(seen.map(({ prefix }) => prefix).sort()) === JSON.stringify(prefixes);
        },
        20_000,
      );
    } catch (cause) {
      throw new Error(`${(cause as Error).message}, but ${JSON.stringify(seen)}\n${router.log()}`, { cause });
    }
    for (const { prefix, med, communities = [], largeCommunities = [] } of wanted) {
      const { nextHop, localPref, ...route } = seen.find((each) => each.prefix === prefix)!;
      // Who has no MED may say 0.
      const withMed = { ...route, med: route.med ?? 0 };
      assert.deepEqual(withMed, { prefix, asPath: [asn], communities, largeCommunities, med: med ?? 0 });
      assert.ok([...this.nextHops(4), ...this.nextHops(6)].includes(nextHop), nextHop);
    }
  }

  nextHops(family: 4 | 6): string[] {
    const { bed } = this;
    const both = [bed.nodeAddresses(), bed.routerAddresses].map((each) => each[family]);
    return family === 4 ? both : [...both, bed.nodeLinkLocal(), bed.routerLinkLocal];
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((each) => each.stop()));
    this.bed.close();
  }
}

function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    const file = `/proc/${pid}/cmdline`;
    return /^\d+$/.test(pid) && existsSync(file) && readFileSync(file, 'utf8').includes(text);
  });
}

function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(withChildren)];
}

/** It is nobody's child here; and its parent may be slow to take notice. */
function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || / Z /.test(readFileSync(file, 'utf8'));
}
