import assert from 'node:assert/strict';
import { BgpBed, type BgpBedOptions } from '../../support/bgp-bed.ts';
import { BgpSpeaker } from '../../support/bgp-speaker.ts';
import type { PeerWish, RouteWish, StatusSeen } from '../../support/bgp-speaker-program.ts';
import { netSuite } from '../../support/net-suite.ts';
import type { Feature, Neighbor, Router, RouterKind, RouteSeen } from '../../support/routers/router.ts';
import { eventually } from '../../support/suite.ts';

const routerAsn = 64500;
const nodeAsn = 64512;
const peer = 'router';

let bed: BgpBed;
let router: Router;
let speaker: BgpSpeaker | undefined;
const v4: RouteWish = { prefix: '192.0.2.10/32' };
const v6: RouteWish = { prefix: '2001:db8:ff::10/128' };

/** How a cell differs from an external IPv4 session on one link. */
type Setting = {
  readonly bed?: BgpBedOptions;
  /** By which the two reach each other. */
  readonly over?: 4 | 6;
  readonly nodeAsn?: number;
  readonly router?: Partial<Neighbor>;
  readonly node?: Partial<PeerWish>;
  /** Whether we wait to be called. */
  readonly passive?: boolean;
};

type Row = {
  readonly name: string;
  readonly needs?: Feature;
  readonly setting?: Setting;
  readonly body: (kind: RouterKind) => Promise<void>;
};

const rows: readonly Row[] = [
  {
    name: 'is told IPv4 routes over IPv4, as an external peer',
    body: async () => {
      await speaker!.routes({ [peer]: [v4, { prefix: '192.0.2.11/32', prepend: 2 }] });
      const [first, second] = await has('192.0.2.10/32', '192.0.2.11/32');
      assert.deepEqual(first!.asPath, [nodeAsn]);
      assert.deepEqual(second!.asPath, [nodeAsn, nodeAsn, nodeAsn]);
      assert.equal(first!.nextHop, bed.nodeAddresses()[4]);
      const { state, prefixesReceived } = await router.peer(bed.nodeAddresses()[4]);
      assert.deepEqual({ state, prefixesReceived }, { state: 'Established', prefixesReceived: 2 });
    },
  },
  {
    name: 'is told routes with a local preference, as an internal peer',
    setting: { nodeAsn: routerAsn },
    body: async () => {
      await speaker!.routes({ [peer]: [v4, { prefix: '192.0.2.11/32', localPref: 150 }] });
      const [first, second] = await has('192.0.2.10/32', '192.0.2.11/32');
      assert.deepEqual(first!.asPath, []);
      assert.equal(first!.localPref, 100);
      assert.equal(second!.localPref, 150);
      assert.equal(first!.nextHop, bed.nodeAddresses()[4]);
    },
  },
  {
    name: 'is told routes over several hops',
    setting: { bed: { hop: true }, router: { multihop: 2 }, node: { ttl: 2 } },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      const [route] = await has('192.0.2.10/32');
      assert.equal(route!.nextHop, bed.nodeAddresses()[4]);
    },
  },
  {
    name: 'is told IPv6 routes over IPv6',
    setting: { over: 6 },
    body: async () => {
      await speaker!.routes({ [peer]: [v6] });
      const [route] = await has('2001:db8:ff::10/128');
      assert.deepEqual(route!.asPath, [nodeAsn]);
      assert.equal(route!.nextHop, bed.nodeAddresses()[6]);
    },
  },
  {
    name: 'is told IPv4 routes over IPv6, with next hops of IPv6',
    needs: 'extended next hop',
    setting: {
      over: 6,
      router: { families: [4, 6], extendedNextHop: true },
      node: { families: [4, 6], extendedNextHop: true },
    },
    body: async (kind) => {
      await speaker!.routes({ [peer]: [v4, v6] });
      const [route] = await has('192.0.2.10/32', '2001:db8:ff::10/128');
      assert.equal(route!.nextHop, bed.nodeAddresses()[6]);
      if (kind.cannot.forwarding === undefined) {
        await eventually('the kernel forwards', () => bed.forwarding('192.0.2.10').length === 1);
      }
    },
  },
  {
    name: 'knows us by TCP MD5, and not with another password',
    setting: { router: { password: 'as-both-know' }, node: { password: 'as-both-know' } },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
      await speaker!.stop('hard');
      await speaker!.close();
      await startSpeaker({
        router: { password: 'as-both-know' },
        node: { password: 'a-mistaken-one' },
      });
      const { lastError } = await until('it has given up once', ({ lastError: error }) => error !== undefined);
      assert.match(lastError!.text, /password/);
      assert.notEqual((await router.peer(bed.nodeAddresses()[4])).state, 'Established');
    },
  },
  {
    name: 'knows us by TCP MD5 when it is the one to connect',
    setting: { router: { password: 'as-both-know' }, node: { password: 'as-both-know' }, passive: true },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
    },
  },
  {
    name: 'hears us by GTSM',
    needs: 'gtsm',
    setting: { router: { gtsm: 1 }, node: { ttl: 255, minimumTtl: 255 } },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
    },
  },
  {
    name: 'knows our AS of 4 bytes',
    setting: { nodeAsn: 4_200_000_123 },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      const [route] = await has('192.0.2.10/32');
      assert.deepEqual(route!.asPath, [4_200_000_123]);
    },
  },
  {
    name: 'is told communities, large communities and a MED, and what has changed of them',
    body: async () => {
      const attributes = {
        med: 20,
        communities: ['64512:7', '65000:100', '65535:65281'],
        largeCommunities: ['64512:1:2', '64512:4294967295:3'],
      };
      await speaker!.routes({ [peer]: [{ ...v4, ...attributes }] });
      const [route] = await has('192.0.2.10/32');
      const { med, communities, largeCommunities } = route!;
      assert.deepEqual({ med, communities, largeCommunities }, attributes);

      await speaker!.routes({ [peer]: [{ ...v4, communities: ['65000:200'] }] });
      await eventually('it knows others', async () => {
        const [changed] = await router.routes(4);
        return changed!.communities.join() === '65000:200' && changed!.largeCommunities.length === 0;
      });
    },
  },
  {
    name: 'forgets what is withdrawn, and nothing else',
    setting: { over: 6, router: { families: [6] } },
    body: async () => {
      const many = Array.from({ length: 2_000 }, (_, i) => ({ prefix: `2001:db8:ff:${i.toString(16)}::/64` }));
      await speaker!.routes({ [peer]: many });
      await eventually('it has all', async () => (await router.routes(6)).length === many.length);
      const kept = many.filter((_, i) => i % 1_000 === 7);
      await speaker!.routes({ [peer]: kept });
      await has(...kept.map(({ prefix }) => prefix));
      await speaker!.routes({ [peer]: [] });
      await has();
      assert.equal((await speaker!.status(peer)).state, 'Established');
    },
  },
  ...([{ restartTime: 20 }, 'helper'] as const).map(
    (gracefulRestart): Row => ({
      name: `keeps our routes while we restart gracefully, and forgets those that do not come back${gracefulRestart === 'helper' ? ', as a helper' : ''}`,
      needs: 'graceful restart',
      setting: {
        router: { gracefulRestart },
        node: { gracefulRestart: { restartTime: 20, restarted: false } },
      },
      body: async () => {
        await speaker!.routes({ [peer]: [v4, { prefix: '192.0.2.11/32' }] });
        await has('192.0.2.10/32', '192.0.2.11/32');
        await speaker!.stop('restart');
        await speaker!.close();
        await eventually(
          'it has noticed',
          async () => (await router.peer(bed.nodeAddresses()[4])).state !== 'Established',
        );
        await has('192.0.2.10/32', '192.0.2.11/32');

        const watch = watchRoute('192.0.2.10/32');
        await startSpeaker(
          {
            node: { gracefulRestart: { restartTime: 20, restarted: true } },
          },
          [v4],
        );
        await until('it is up', ({ state }) => state === 'Established');
        await has('192.0.2.10/32');
        assert.equal(await watch.stop(), 0, 'it was gone for a time');
      },
    }),
  ),
  {
    name: 'forgets our routes at once when we shut down, graceful restart or not',
    setting: {
      router: { gracefulRestart: { restartTime: 20 } },
      node: { gracefulRestart: { restartTime: 20, restarted: false } },
    },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
      await speaker!.stop('shutdown', 'as planned');
      await eventually('it has none', async () => (await router.routes(4)).length === 0, 3_000);
    },
  },
  {
    name: 'is told everything again when we were killed',
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
      await speaker!.kill('SIGKILL');
      await has();
      await startSpeaker({}, [v4]);
      await has('192.0.2.10/32');
    },
  },
  {
    name: 'is told everything again when it was killed, and when it was restarted',
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
      await router.kill('SIGKILL');
      await until('we have noticed', ({ state }) => state !== 'Established');
      await router.restart();
      await has('192.0.2.10/32');
      await router.restart();
      await has('192.0.2.10/32');
      const { flaps } = await speaker!.status(peer);
      assert.equal(flaps, 2);
    },
  },
  {
    name: 'and we notice by the hold time that nothing passes, and are back when it does',
    setting: { router: { timers: { hold: 3, keepalive: 1 } }, node: { holdTime: 3 } },
    body: async () => {
      await speaker!.routes({ [peer]: [v4] });
      await has('192.0.2.10/32');
      assert.equal((await speaker!.status(peer)).holdTime, 3);
      assert.equal((await router.peer(bed.nodeAddresses()[4])).holdTime, 3);
      const cut = performance.now();
      bed.cut();
      const { lastError } = await until('we have noticed', ({ state }) => state !== 'Established');
      const took = performance.now() - cut;
      assert.ok(took > 1_500 && took < 5_000, `after ${took} ms`);
      assert.equal(lastError?.code, 4, lastError?.text);
      await eventually('the router has noticed', async () => (await router.routes(4)).length === 0);
      bed.repair();
      await has('192.0.2.10/32');
    },
  },
];

/** Our sessions with a router, on either side of a switch; what it has is read from its own tables. */
export function testWith(kind: RouterKind): void {
  const test = netSuite(`interop/bgp/${kind.name}`);
  test.after.each(async () => {
    await speaker?.close();
    speaker = undefined;
    await router?.stop();
    bed?.close();
  });
  for (const { name, needs, setting = {}, body } of rows) {
    if (needs !== undefined && kind.cannot[needs] !== undefined) continue;
    if (!kind.installed()) {
      test.skip(name, `the Debian package ${kind.package} is missing`);
      continue;
    }
    test(`it ${name}`, async () => {
      bed = BgpBed.create(setting.bed);
      router = await kind.start(routerFor(setting));
      await startSpeaker(setting);
      try {
        await body(kind);
      } catch (cause) {
        const said = [router.log(), JSON.stringify(await speaker?.status(peer).catch(String))].join('\n');
        throw new Error(`${(cause as Error).message}\n${said}`, { cause });
      }
    }, 90_000);
  }
}

/** The cells of the table that are empty, and why. */
export function emptyCells(kinds: readonly RouterKind[]): readonly string[] {
  return kinds.flatMap(({ name, cannot }) =>
    rows.flatMap(({ name: row, needs }) => (needs && cannot[needs] ? [`${name} ${row}: ${cannot[needs]}`] : [])),
  );
}

function routerFor(setting: Setting) {
  const { over = 4, passive = false } = setting;
  const neighbor: Neighbor = {
    address: bed.nodeAddresses()[over],
    asn: setting.nodeAsn ?? nodeAsn,
    families: [over],
    passive: !passive,
    ...setting.router,
  };
  const addresses = bed.routerAddresses;
  return { netns: bed.router, asn: routerAsn, routerId: addresses[4], addresses, neighbors: [neighbor] };
}

/** `told` is told as soon as the session is up. */
async function startSpeaker(setting: Setting, told: readonly RouteWish[] = []): Promise<void> {
  const { over = 4, passive = false } = setting;
  const wish: PeerWish = {
    name: peer,
    localAsn: setting.nodeAsn ?? nodeAsn,
    peerAsn: routerAsn,
    routerId: bed.nodeAddresses()[4],
    address: bed.routerAddresses[over],
    families: [over],
    passive,
    ...setting.node,
  };
  speaker = await BgpSpeaker.start(bed.node, [wish], passive ? [bed.nodeAddresses()[over]] : [], { [peer]: told });
}

/** Waits until these are all that the router has, and returns them in the order given. */
async function has(...prefixes: readonly string[]): Promise<RouteSeen[]> {
  let seen: RouteSeen[] = [];
  const wanted = prefixes.toSorted().join();
  try {
    await eventually(
      `the router has ${wanted || 'nothing'}`,
      async () => {
        seen = [...(await router.routes(4)), ...(await router.routes(6))];
        return (
          seen
            .map(({ prefix }) => prefix)
            .sort()
            .join() === wanted
        );
      },
      20_000,
    );
  } catch (cause) {
    throw new Error(`${(cause as Error).message}, but ${seen.map(({ prefix }) => prefix).join() || 'nothing'}`, {
      cause,
    });
  }
  return prefixes.map((each) => seen.find(({ prefix }) => prefix === each)!);
}

/** Our session's status once it is as wanted. */
async function until(what: string, wanted: (status: StatusSeen) => boolean): Promise<StatusSeen> {
  let status: StatusSeen | undefined;
  await eventually(
    what,
    async () => {
      status = await speaker!.status(peer);
      return wanted(status);
    },
    20_000,
  );
  return status!;
}

/** Looks again and again whether the router has a route. */
function watchRoute(wanted: string): { stop(): Promise<number> } {
  let stopped = false;
  let missing = 0;
  const watching = (async () => {
    while (!stopped) {
      const routes = await router.routes(4);
      if (!routes.some(({ prefix }) => prefix === wanted)) missing += 1;
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return missing;
    },
  };
}
