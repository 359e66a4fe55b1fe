import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { Config } from '../../src/config/config.ts';
import { ServiceReconciler } from '../../src/controller/service-reconciler.ts';
import type { Namespace, Service } from '../../src/kubernetes/core.ts';
import { namespaces } from '../../src/kubernetes/resource.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { poolsOf } from '../allocator/support.ts';
import { TestCluster } from '../support/cluster.ts';
import { suite } from '../support/suite.ts';

/** Services of load balancer classes, as the controller serves them. */
const test = suite('controller/classes');

const specs = { dmz: { addresses: ['192.0.2.0/30'], autoAssign: false }, lan: { addresses: ['203.0.113.0/28'] } };
const dmz = { name: 'dmz', isDefault: false };
const byAnnotation = { 'network.deckhouse.io/metal-load-balancer-class': 'dmz' };
const classType = 'network.deckhouse.io/load-balancer-class';
const allType = 'AllPublicIPsAssigned';
const ownType = 'garpoon.io/AddressesAssigned';

/** A cluster, and a reconciler under a configuration that the test makes. */
class Served {
  readonly cluster: TestCluster;
  readonly #allocator = new Allocator();
  readonly #services = new Store<Service>({ log: silentLogger });
  readonly #namespaces = new Store<Namespace>({ log: silentLogger });
  readonly #reconciler: ServiceReconciler;
  #config = Config.empty;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.#reconciler = new ServiceReconciler({
      client: cluster.newClient(),
      services: this.#services,
      namespaces: this.#namespaces,
      allocator: this.#allocator,
      config: () => this.#config,
      events: { record: () => undefined },
      loadBalancerClass: '',
      onRoom: () => undefined,
      onPoolUse: () => undefined,
      onNextRelease: () => undefined,
      signal: new AbortController().signal,
      clock: systemClock,
      log: silentLogger,
    });
  }

  /** Puts a configuration in force and looks at all Services, those named first before the others. */
  async use(classes: Config['classes'], pools: object, ...first: readonly string[]): Promise<void> {
    const { peers, bfdProfiles, reservations, layer2 } = Config.empty;
    const isOfClass = (name: string) => classes.some((one) => one.name === name);
    const of = poolsOf(pools as Readonly<Record<string, object>>).map((pool) =>
      isOfClass(pool.name) ? { ...pool, ofClass: true as const } : pool,
    );
    this.#config = new Config({ pools: of, peers, bfdProfiles, reservations, classes, layer2 });
    this.#allocator.setPools(of, 0);
    await this.#read();
    this.#reconciler.adoptOrphans();
    await this.look(...first);
  }

  async look(...first: readonly string[]): Promise<void> {
    await this.#read();
    const keys = new Set([...first.map((name) => `default/${name}`), ...this.#services.keys()]);
    for (const key of keys) await this.#reconciler.reconcile(key);
    await this.#read();
  }

  /** `status reason message` of a condition; empty without. */
  async condition(service: string, type: string): Promise<string> {
    const { status } = await this.cluster.getService(service);
    const found = status?.conditions?.find((one) => one.type === type);
    return found === undefined ? '' : `${found.status} ${found.reason} ${found.message}`;
  }

  async #read(): Promise<void> {
    this.#services.replace(await this.cluster.listServices());
    this.#namespaces.replace((await this.cluster.client.list(namespaces)).items ?? []);
  }
}

function inService(run: (served: Served, cluster: TestCluster) => Promise<void>): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start();
    try {
      await run(new Served(cluster), cluster);
    } finally {
      await cluster.stop();
    }
  };
}

test(
  'a Service of a class has addresses of its pool, and conditions that say so in the words of Deckhouse',
  inService(async (served, cluster) => {
    await cluster.service('web', {}, { annotations: { ...byAnnotation, 'garpoon.io/external-ips-count': '3' } });
    await served.use([dmz], specs);
    assert.equal(await cluster.addresses('web'), '192.0.2.0 192.0.2.1 192.0.2.2');
    assert.equal(await served.condition('web', classType), 'True LoadBalancerClassBound dmz');
    assert.equal(await served.condition('web', allType), 'True AllIPsAssigned 3 of 3 public IPs were assigned');
    assert.equal(await served.condition('web', ownType), 'True Assigned 3 of 3 assigned');
  }),
);

test(
  'a Service whose class names it in spec.loadBalancerClass is served, and one of no class has no such conditions',
  inService(async (served, cluster) => {
    await cluster.service('web', { loadBalancerClass: 'dmz' });
    await cluster.service('api');
    await served.use([dmz], specs);
    assert.deepEqual([await cluster.addresses('web'), await cluster.addresses('api')], ['192.0.2.0', '203.0.113.0']);
    const { status } = await cluster.getService('api');
    assert.deepEqual(
      status?.conditions?.map(({ type }) => type),
      [ownType],
    );
  }),
);

test(
  'what is assigned is counted anew with each address, and a full class pool is named',
  inService(async (served, cluster) => {
    await cluster.service('holder', {}, { annotations: { ...byAnnotation, 'garpoon.io/external-ips-count': '3' } });
    await cluster.service('web', {}, { annotations: { ...byAnnotation, 'garpoon.io/external-ips-count': '2' } });
    await served.use([dmz], specs);
    assert.equal(await served.condition('web', allType), 'False NotAllIPsAssigned 1 of 2 public IPs were assigned');
    assert.equal(
      await served.condition('web', ownType),
      'False Incomplete 1 of 2 assigned, pool dmz is full: 4 of 4 in use',
    );
    await cluster.annotate('holder', { 'garpoon.io/external-ips-count': '2' });
    await served.look();
    assert.equal(await cluster.addresses('holder'), '192.0.2.0 192.0.2.1');
    assert.equal(await cluster.addresses('web'), '192.0.2.3 192.0.2.2');
    assert.equal(await served.condition('web', allType), 'True AllIPsAssigned 2 of 2 public IPs were assigned');
  }),
);

test(
  'a Service is not bound before it has an address, and for good after that',
  inService(async (served, cluster) => {
    const front = { name: 'front', isDefault: false };
    await cluster.service('web', {}, { annotations: { 'network.deckhouse.io/metal-load-balancer-class': 'front' } });
    await served.use([dmz, front], { ...specs, front: { addresses: ['2001:db8::/126'], autoAssign: false } });
    assert.equal(await served.condition('web', classType), '');
    assert.equal(await served.condition('web', allType), 'False NotAllIPsAssigned 0 of 1 public IPs were assigned');
    await cluster.annotate('web', byAnnotation);
    await served.look();
    assert.equal(await cluster.addresses('web'), '192.0.2.0');
    await cluster.annotate('web', { 'network.deckhouse.io/metal-load-balancer-class': 'front' });
    await served.look();
    assert.equal(await cluster.addresses('web'), '192.0.2.0');
    assert.equal(await served.condition('web', classType), 'True LoadBalancerClassBound dmz');
  }),
);

test(
  'a Service whose class is gone keeps what it has, is given nothing new, and says so; when the class comes back, it goes on',
  inService(async (served, cluster) => {
    await cluster.service('web', { loadBalancerClass: 'dmz' });
    await served.use([dmz], specs);
    await served.use([], { lan: specs.lan });
    await cluster.annotate('web', { 'garpoon.io/external-ips-count': '2' });
    await served.look();
    assert.equal(await cluster.addresses('web'), '192.0.2.0');
    assert.match(await served.condition('web', ownType), /^False ClassGone .*class dmz, which is gone/);
    assert.equal(await served.condition('web', classType), 'True LoadBalancerClassBound dmz');
    await served.use([dmz], specs);
    assert.equal(await cluster.addresses('web'), '192.0.2.0 192.0.2.1');
    assert.equal(await served.condition('web', allType), 'True AllIPsAssigned 2 of 2 public IPs were assigned');
  }),
);

test(
  'what is kept of a class that is gone is not given to another when a pool has it again',
  inService(async (served, cluster) => {
    await cluster.service('web', {}, { annotations: byAnnotation });
    await served.use([dmz], specs);
    await served.use([], {});
    await cluster.service('api');
    await served.look();
    await served.use([], { later: { addresses: ['192.0.2.0/31'] } }, 'api');
    assert.equal(await cluster.addresses('web'), '192.0.2.0');
    assert.equal(await cluster.addresses('api'), '192.0.2.1');
  }),
);

test(
  'when a class is there again under another name, the Services of the old one keep what they have, and nobody else gets it',
  inService(async (served, cluster) => {
    await cluster.service('web', {}, { annotations: byAnnotation });
    await served.use([dmz], specs);
    const renamed = { 'network.deckhouse.io/metal-load-balancer-class': 'edge' };
    await cluster.service('api', {}, { annotations: renamed });
    await served.use([{ name: 'edge', isDefault: false }], { edge: specs.dmz, lan: specs.lan }, 'api');
    assert.equal(await cluster.addresses('web'), '192.0.2.0');
    assert.equal(await cluster.addresses('api'), '192.0.2.1');
  }),
);

test(
  'a Service whose class is gone may name a pool instead, and is of no class then',
  inService(async (served, cluster) => {
    await cluster.service('web', {}, { annotations: byAnnotation });
    await served.use([dmz], specs);
    await served.use([], { lan: specs.lan });
    await cluster.annotate('web', { 'garpoon.io/address-pools': 'lan' });
    await served.look();
    assert.equal(await cluster.addresses('web'), '203.0.113.0');
    assert.deepEqual([await served.condition('web', classType), await served.condition('web', allType)], ['', '']);
  }),
);

test(
  'a default class that comes later takes no address from those that have some',
  inService(async (served, cluster) => {
    await cluster.service('old');
    await served.use([], { lan: specs.lan });
    await cluster.service('new');
    await served.use([{ name: 'dmz', isDefault: true }], specs);
    assert.deepEqual([await cluster.addresses('old'), await cluster.addresses('new')], ['203.0.113.0', '192.0.2.0']);
  }),
);

test(
  'with the type LoadBalancer, the conditions of the class go as well',
  inService(async (served, cluster) => {
    await cluster.service('web', {}, { annotations: byAnnotation });
    await served.use([dmz], specs);
    await cluster.edit('web', { type: 'ClusterIP' });
    await served.look();
    const { status } = await cluster.getService('web');
    assert.deepEqual([status?.loadBalancer?.ingress ?? [], status?.conditions ?? []], [[], []]);
  }),
);
