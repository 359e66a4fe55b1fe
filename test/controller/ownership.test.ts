import assert from 'node:assert/strict';
import { serviceAnnotations } from '../../src/api/service-annotations.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/ownership');

const poolMark = serviceAnnotations.ipAllocatedFromPool;
const wantAddress = 'metallb.io/loadBalancerIPs';
const wantPool = 'metallb.io/address-pool';

test(
  'a Service that stops being a LoadBalancer keeps no trace of the address',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start({ loadBalancerClass: 'example.com/lan' });
    await cluster.service('web', { loadBalancerClass: 'example.com/lan' });
    await world.has('web', '192.0.2.10');
    await cluster.edit('web', { type: 'ClusterIP' });
    await eventually('the annotation is gone', async () => {
      const { metadata, status } = await cluster.getService('web');
      return metadata.annotations?.[poolMark] === undefined && status?.loadBalancer?.ingress === undefined;
    });
  }),
);

for (const [ours, theirs] of [
  ['', 'example.com/other'],
  ['example.com/ours', 'example.com/other'],
  ['example.com/ours', undefined],
] as const) {
  test(
    `with the class "${ours}", a Service of class ${theirs ?? 'none'} is never touched, though it carries our annotation`,
    inWorld(async (world, cluster) => {
      await cluster.pool('markers', ['203.0.113.0/24']);
      await cluster.pool('lan', lan(1));
      const spec = theirs === undefined ? {} : { loadBalancerClass: theirs };
      await cluster.service('web', spec, { annotations: { [poolMark]: 'lan', [wantPool]: 'lan' } });
      await cluster.setAddresses('web', ['192.0.2.10']);
      const before = await cluster.getService('web');
      await world.start({ loadBalancerClass: ours });
      const our = ours === '' ? {} : { loadBalancerClass: ours };
      await cluster.service('mine', our, { annotations: { [wantPool]: 'lan' } });
      await world.has('mine', '192.0.2.10');
      assert.deepEqual(await cluster.getService('web'), before);
      await cluster.edit('web', {}, { version: '2' });
      const edited = await cluster.getService('web');
      await cluster.deleteService('mine');
      await cluster.service('mark', our, { annotations: { [wantPool]: 'lan' } });
      await world.has('mark', '192.0.2.10');
      assert.deepEqual(await cluster.getService('web'), edited);
    }),
  );
}

for (const [slip, annotation] of [
  ['no address', 'one'],
  ['an address twice', '192.0.2.10,192.0.2.10'],
  ['of the wrong family', '2001:db8::10'],
] as const) {
  test(
    `a slip in the annotation (${slip}) takes no address away, and its correction counts`,
    inWorld(async (world, cluster) => {
      await world.markers();
      await cluster.pool('lan', lan(3));
      await world.start();
      await cluster.service('web', { ipFamilyPolicy: 'SingleStack' });
      await world.has('web', '192.0.2.10');
      await cluster.annotate('web', { [wantAddress]: annotation });
      await world.told('web', 'LoadBalancerFailed', 1);
      await cluster.edit('web', {}, { version: '2' });
      await world.settled();
      assert.equal(await cluster.addresses('web'), '192.0.2.10');
      assert.equal(await cluster.eventCount('web', 'LoadBalancerFailed'), 1);
      await cluster.setAddresses('web', []);
      await world.has('web', '192.0.2.10');
      await cluster.annotate('web', { [wantAddress]: '192.0.2.12' });
      await world.has('web', '192.0.2.12');
    }),
  );
}

test(
  'a slip protects no address that its pool no longer has',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.annotate('web', { [wantAddress]: 'one' });
    await world.told('web', 'LoadBalancerFailed', 1);
    await cluster.pool('lan', ['192.0.2.11-192.0.2.12']);
    await world.has('web', '');
    await world.told('web', 'ClearAssignment', 1);
    await world.told('web', 'AllocationFailed', 1);
  }),
);

for (const [what, harm] of [
  ['removed', (cluster) => cluster.setAddresses('web', [])],
  ['replaced', (cluster) => cluster.setAddresses('web', ['198.18.9.9'])],
  ['stripped of its annotation', (cluster) => cluster.annotate('web', { [poolMark]: undefined })],
] as const satisfies readonly (readonly [string, (cluster: TestCluster) => unknown])[]) {
  test(
    `a status that somebody else has ${what} is written again`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(2));
      await world.start();
      await cluster.service('web');
      await world.has('web', '192.0.2.10');
      const settled = (await cluster.getService('web')).metadata.resourceVersion;
      await harm(cluster);
      await eventually('it is as before', async () => {
        const { metadata } = await cluster.getService('web');
        const restored = metadata.annotations?.[poolMark] === 'lan' && metadata.resourceVersion !== settled;
        return restored && (await cluster.addresses('web')) === '192.0.2.10';
      });
    }),
  );
}

test(
  'what others have written on a Service stays, though the controller keeps no copy of it',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    const annotations = { 'example.com/note': 'keep', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    await cluster.service('web', { sessionAffinity: 'ClientIP' } as Service['spec'], {
      annotations,
      labels: { app: 'web' },
    });
    const { spec } = await cluster.getService('web');
    await world.has('web', '192.0.2.10');
    const after = await cluster.getService('web');
    assert.deepEqual(after.spec, spec);
    assert.deepEqual(after.metadata.labels, { app: 'web' });
    assert.deepEqual(after.metadata.annotations, { ...annotations, [poolMark]: 'lan' });
  }),
);
