import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import type { NewObject } from '../../src/kubernetes/client.ts';
import {
  addressReservations,
  bfdProfiles,
  bgpAdvertisements,
  bgpPeers,
  communities,
  ipAddressPools,
  layer2Policies,
} from '../../src/kubernetes/config-kinds.ts';
import { Configuration } from '../../src/kubernetes/configuration.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { resource } from '../../src/kubernetes/resource.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/configuration');

type World = {
  readonly cluster: TestCluster;
  readonly configuration: Configuration;
  readonly log: RecordedLog;
  /** Every configuration that came into force after the first, as the names of its pools. */
  readonly changes: readonly string[];
};

function inWorld(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start();
    const log = new RecordedLog();
    const client = cluster.newClient();
    const configuration = new Configuration({ client, namespace: system, clock: systemClock, random: impatient, log });
    const changes: string[] = [];
    configuration.onChange((config) => changes.push(config.pools.map((pool) => pool.name).join(' ')));
    try {
      await run({ cluster, configuration, log, changes });
    } finally {
      await configuration.stop();
      await cluster.stop();
    }
  };
}

const pools = (configuration: Configuration) => configuration.current().pools.map((pool) => pool.name);

test(
  'an empty configuration is one',
  inWorld(async ({ configuration }) => {
    configuration.start();
    await configuration.inForce;
    assert.deepEqual(pools(configuration), []);
    assert.deepEqual(configuration.errors(), []);
  }),
);

test(
  'the resources of its namespace are in force, and those of others are not',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.advertisement('everywhere', { interfaces: ['eth0'] });
    const elsewhere = { metadata: { name: 'other', namespace: 'default' }, spec: { addresses: ['192.0.2.0/24'] } };
    await cluster.put(ipAddressPools, elsewhere);
    configuration.start();
    await configuration.inForce;
    assert.deepEqual(pools(configuration), ['lan']);
    assert.deepEqual(
      configuration.current().pools[0]?.l2Advertisements.map(({ interfaces }) => interfaces),
      [['eth0']],
    );
  }),
);

test(
  'a change is told when it is in force, and what changes nothing is not told',
  inWorld(async ({ cluster, configuration, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await updateStatus(cluster.client, ipAddressPools, `${system}/lan`, (pool) => ({
      ...pool,
      status: { assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 255, availableIPv6: 0 },
    }));
    await cluster.pool('lan', ['192.0.2.0/24'], { autoAssign: true });
    await cluster.pool('lan', ['192.0.2.0/24'], {}, { labels: { site: 'north' } });
    await cluster.pool('wan', ['198.18.0.0/24']);
    await eventually('it is in force', () => pools(configuration).length === 2);
    assert.deepEqual(changes.slice(before), ['lan wan']);
    await cluster.removePool('lan');
    await eventually('it is in force', () => pools(configuration).length === 1);
    assert.deepEqual(changes.slice(before), ['lan wan', 'wan']);
  }),
);

test(
  'a label that a selector looks for makes another configuration',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.advertisement('north', { ipAddressPoolSelectors: [{ matchLabels: { site: 'north' } }] });
    configuration.start();
    await configuration.inForce;
    const advertised = () => configuration.current().pools[0]?.l2Advertisements.length;
    assert.equal(advertised(), 0);
    await cluster.pool('lan', ['192.0.2.0/24'], {}, { labels: { site: 'north' } });
    await eventually('it is advertised', () => advertised() === 1);
  }),
);

test(
  'a fault is told once per change, leaves the last good one in force, and its end is told',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.deepEqual(pools(configuration), ['lan']);
    await cluster.advertisement('everywhere');
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    await eventually('both are refused', () => configuration.errors().length === 2);
    const refused = log.of('configuration refused');
    assert.deepEqual(
      refused.map(({ level, inForce, problems }) => [level, inForce, (problems as string[]).length]),
      [
        ['error', 'the last one without a fault', 1],
        ['error', 'the last one without a fault', 2],
      ],
    );
    assert.deepEqual(changes.slice(before), []);
    await cluster.removePool('overlapping');
    await cluster.removePool('reversed');
    await eventually('it is in force', () => configuration.errors().length === 0);
    assert.equal(configuration.current().pools[0]?.l2Advertisements.length, 1);
    assert.deepEqual(changes.slice(before), ['lan']);
  }),
);

test(
  'a fault that is taken back is told to be over, and changes nothing',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await eventually('it is refused', () => configuration.errors().length === 1);
    const said = log.of('configuration in force').length;
    await cluster.removePool('overlapping');
    await eventually('it is said', () => log.of('configuration in force').length === said + 1);
    assert.deepEqual(configuration.errors(), []);
    assert.deepEqual(changes.slice(before), []);
  }),
);

test(
  'a fault from the beginning leaves nothing in force until it is repaired',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    let inForce = false;
    void configuration.inForce.then(() => {
      inForce = true;
    });
    configuration.start();
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.equal(log.of('configuration refused')[0]?.inForce, 'none');
    assert.equal(inForce, false);
    assert.deepEqual(pools(configuration), []);
    await cluster.removePool('overlapping');
    await configuration.inForce;
    assert.deepEqual(pools(configuration), ['lan']);
    assert.deepEqual(changes, ['lan']);
  }),
);

test(
  'it stops before it was started, before it was in force, and twice; who waits is told',
  inWorld(async ({ cluster, configuration }) => {
    const client = cluster.newClient();
    const options = { client, namespace: system, clock: systemClock, random: impatient, log: new RecordedLog() };
    const idle = new Configuration(options);
    await idle.stop();
    await assert.rejects(idle.inForce, /stopped before/);
    cluster.api.faults.pause();
    configuration.start();
    await configuration.stop();
    await configuration.stop();
    await assert.rejects(configuration.inForce, /stopped before/);
    cluster.api.faults.resume();
  }),
);

const router = (spec: object) => ({
  metadata: { name: 'tor', namespace: system },
  spec: { myASN: 64_512, peerASN: 64_513, peerAddress: '198.51.100.1', ...spec },
});

test(
  'all kinds are in force together, BGP for the nodes that it is judged for',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.put(bgpPeers, router({ bfdProfile: 'fast', nodeSelectors: [{ matchLabels: { rack: 'r1' } }] }));
    await cluster.put(bfdProfiles, { metadata: { name: 'fast', namespace: system } });
    await cluster.put(bgpAdvertisements, {
      metadata: { name: 'routers', namespace: system },
      spec: { communities: ['a'] },
    });
    await cluster.put(communities, {
      metadata: { name: 'ours', namespace: system },
      spec: { communities: [{ name: 'a', value: '1:2' }] },
    });
    await cluster.put(addressReservations, {
      metadata: { name: 'web', namespace: system },
      spec: { service: { namespace: 'shop', name: 'web' } },
    });
    configuration.start();
    await configuration.inForce;
    assert.equal(configuration.current().reservations[0]?.service, 'shop/web');
    assert.deepEqual(configuration.current().peers, []);
    configuration.judgeFor([{ rack: 'r1' }]);
    const peer = await eventually('BGP is in force', () => configuration.current().peers[0]);
    assert.equal(peer.bfdProfile?.name, 'fast');
    assert.deepEqual(configuration.current().pools[0]?.bgpAdvertisements[0]?.communities, [[1, 2]]);
    configuration.judgeFor([{ rack: 'r2' }]);
    await eventually('the peer is left out', () => configuration.current().peers.length === 0);
  }),
);

test(
  'a fault for another node holds up nothing, and one for this node does',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.put(bgpPeers, router({ bfdProfile: 'missing', nodeSelectors: [{ matchLabels: { rack: 'r1' } }] }));
    configuration.judgeFor([{ rack: 'r2' }]);
    configuration.start();
    await configuration.inForce;
    configuration.judgeFor([{ rack: 'r1' }]);
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.equal(configuration.errors()[0]?.awaits, 'BFDProfile');
  }),
);

test(
  'the annotations of a pool make another configuration',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    await cluster.pool('lan', ['192.0.2.0/24'], {}, { annotations: { 'garpoon.io/drain': 'true' } });
    await eventually('it drains', () => configuration.current().pool('lan')?.draining);
  }),
);

test(
  'the policy for addresses on the LAN is in force, and when it is gone all is as without one',
  inWorld(async ({ cluster, configuration }) => {
    configuration.start();
    await configuration.inForce;
    const metadata = { name: 'default', namespace: system };
    await cluster.put(layer2Policies, { metadata, spec: { election: 'balanced', failBack: { after: '1m' } } });
    await eventually('it is in force', () => configuration.current().layer2.failBackAfter === 60_000);
    assert.equal(configuration.current().layer2.election, 'balanced');
    await assert.rejects(
      cluster.put(layer2Policies, { metadata: { ...metadata, name: 'mine' }, spec: { election: 'metallb' } }),
      /metadata.name: Invalid value: .*is not default, the only name that counts/,
    );
    await cluster.client.delete(layer2Policies, `${system}/default`);
    await eventually('it is no longer', () => configuration.current().layer2.election === 'metallb');
    assert.equal(configuration.current().layer2.failBackAfter, undefined);
  }),
);

test(
  'a policy of another name, which an older definition let in, leaves the last good one in force',
  inWorld(async ({ cluster, configuration, log }) => {
    const name = 'layer2policies.garpoon.io';
    await cluster.change(definitions, name, (definition) => {
      const text = JSON.stringify(definition).replaceAll("self.metadata.name == 'default'", 'true');
      return JSON.parse(text) as KubernetesObject;
    });
    const put = (own: string, election: 'metallb' | 'balanced') =>
      cluster.put(layer2Policies, { metadata: { name: own, namespace: system }, spec: { election } });
    await put('default', 'balanced');
    configuration.start();
    await configuration.inForce;
    await put('mine', 'metallb');
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.equal(configuration.current().layer2.election, 'balanced');
    assert.match(String(log.of('configuration refused')[0]?.problems), /\/mine: metadata.name: is not default/);
  }),
);

const definitions = resource<KubernetesObject>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
});

test(
  'a cluster that does not know the policy decides as MetalLB',
  inWorld(async ({ cluster, configuration, log }) => {
    await cluster.client.delete(definitions, 'layer2policies.garpoon.io');
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    assert.equal(configuration.current().layer2.election, 'metallb');
    assert.deepEqual(
      log.of('kind not served').map(({ kind }) => kind),
      ['Layer2Policy'],
    );
  }),
);

test('a kind that the cluster does not have is told once and holds up nothing, and is read when it is there', async () => {
  const cluster = await TestCluster.start();
  const log = new RecordedLog();
  // What waits for a minute, and that is who looks for a kind again, waits for a moment.
  const after: Clock['after'] = (delay, run) => systemClock.after(delay === 60_000 ? 20 : delay, run);
  const clock = { ...systemClock, after };
  const name = 'addressreservations.garpoon.io';
  const definition = await cluster.client.get(definitions, name);
  await cluster.client.delete(definitions, name);
  const options = { client: cluster.newClient(), namespace: system, random: impatient, log };
  const configuration = new Configuration({ ...options, clock });
  try {
    configuration.start();
    await configuration.inForce;
    assert.deepEqual(
      log.of('kind not served').map(({ kind }) => kind),
      ['AddressReservation'],
    );
    const { resourceVersion: _, ...metadata } = definition!.metadata;
    await cluster.client.create(definitions, { ...definition, metadata } as NewObject<KubernetesObject>);
    await cluster.put(addressReservations, {
      metadata: { name: 'web', namespace: system },
      spec: { service: { namespace: 'shop', name: 'web' } },
    });
    await eventually('it is read', () => configuration.current().reservations.length === 1);
    assert.equal(log.of('kind not served').length, 1);
    assert.equal(log.of('kind served').length, 1);
  } finally {
    await configuration.stop();
    await cluster.stop();
  }
});

test('a kind that the cluster does not have holds up nothing, should the API server be away at first', async () => {
  const cluster = await TestCluster.start();
  await cluster.client.delete(definitions, 'addressreservations.garpoon.io');
  await cluster.away();
  const log = new RecordedLog();
  const client = cluster.newClient();
  const configuration = new Configuration({ client, namespace: system, clock: systemClock, random: impatient, log });
  try {
    configuration.start();
    await eventually('it is missed', () => log.of('watch failing').length > 0);
    await cluster.back();
    await configuration.inForce;
    assert.equal(log.of('kind not served').length, 1);
  } finally {
    await configuration.stop();
    await cluster.stop();
  }
});

test('a cluster without pools as a kind is waited for', async () => {
  const cluster = await TestCluster.start();
  await cluster.client.delete(definitions, 'ipaddresspools.metallb.io');
  const log = new RecordedLog();
  const client = cluster.newClient();
  const configuration = new Configuration({ client, namespace: system, clock: systemClock, random: impatient, log });
  let inForce = false;
  void configuration.inForce.then(
    () => {
      inForce = true;
    },
    () => {},
  );
  try {
    configuration.start();
    await eventually('it is looked for', () => log.of('watch failing').length > 0);
    assert.equal(inForce, false);
  } finally {
    await configuration.stop();
    await cluster.stop();
  }
});
