import assert from 'node:assert/strict';
import { serviceAnnotations } from '../../src/api/service-annotations.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { addressText } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/assign');

const poolMark = serviceAnnotations.ipAllocatedFromPool;
const wantAddress = 'metallb.io/loadBalancerIPs';
const wantPool = 'metallb.io/address-pool';

test(
  'a Service is given the first free address of a pool, with the name of the pool, and is told so once',
  inWorld(async (world, cluster) => {
    await world.markers();
    await cluster.pool('lan', lan(10));
    await world.start();
    for (const [name, address] of [
      ['web', '192.0.2.10'],
      ['api', '192.0.2.11'],
    ] as const) {
      await cluster.service(name);
      await world.has(name, address);
      assert.equal((await cluster.getService(name)).metadata.annotations?.[poolMark], 'lan');
    }
    for (const version of ['1', '2', '3']) {
      await cluster.edit('web', {}, { version });
      await world.settled();
    }
    const [event, ...others] = await cluster.events('web', 'IPAllocated');
    assert.equal(others.length, 0);
    assert.equal(event?.count, 1);
    assert.equal(event.type, 'Normal');
    assert.equal(event.message, 'Assigned IP ["192.0.2.10"]');
    assert.equal(event.source.component, 'metallb-controller');
  }),
);

for (const [what, spec, annotations, addresses] of [
  ['of one family', {}, {}, '192.0.2.10'],
  ['of IPv6', { ipFamilies: ['IPv6'] }, {}, '2001:db8::10'],
  ['that requires two families', { ipFamilyPolicy: 'RequireDualStack' }, {}, '192.0.2.10 2001:db8::10'],
  ['that prefers two families', { ipFamilyPolicy: 'PreferDualStack' }, {}, '192.0.2.10 2001:db8::10'],
  [
    'that prefers two families and asks for a pool of one',
    { ipFamilyPolicy: 'PreferDualStack' },
    { [wantPool]: 'only-v4' },
    '198.18.1.1',
  ],
  ['that asks for an address', {}, { [wantAddress]: '192.0.2.15' }, '192.0.2.15'],
  ['that asks for an address in its spec', { loadBalancerIP: '192.0.2.15' }, {}, '192.0.2.15'],
  [
    'that asks for two addresses, in its own order',
    { ipFamilyPolicy: 'RequireDualStack' },
    { [wantAddress]: '2001:db8::15, 192.0.2.15' },
    '2001:db8::15 192.0.2.15',
  ],
  ['that asks for a pool', {}, { [wantPool]: 'only-v4' }, '198.18.1.1'],
  [
    'whose families may be of several pools',
    { ipFamilyPolicy: 'RequireDualStack' },
    { 'garpoon.io/address-pools': 'only-v4,lan' },
    '198.18.1.1 2001:db8::10',
  ],
  ['that asks in the old spelling', {}, { 'metallb.universe.tf/address-pool': 'only-v4' }, '198.18.1.1'],
] as const satisfies readonly (readonly [string, Service['spec'], object, string])[]) {
  test(
    `a Service ${what} is given ${addresses}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', [...lan(10), '2001:db8::10-2001:db8::20']);
      await cluster.pool('only-v4', ['198.18.1.1/32'], { autoAssign: false });
      await world.start();
      await cluster.service('web', spec, { annotations });
      await world.has('web', addresses);
    }),
  );
}

test(
  'whoever still writes deprecated annotations is told, once',
  inWorld(async (world, cluster) => {
    await world.markers();
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('web', {}, { annotations: { 'metallb.universe.tf/address-pool': 'lan' } });
    await world.has('web', '192.0.2.10');
    await cluster.edit('web', {}, { version: '2' });
    await world.settled();
    assert.equal(await cluster.eventCount('web', 'deprecatedAnnotation'), 1);
  }),
);

for (const [why, spec, annotations, complaint] of [
  ['the pool does not exist', {}, { [wantPool]: 'dmz' }, /pool dmz is requested but does not exist/],
  ['the address is in no pool', {}, { [wantAddress]: '198.18.9.9' }, /198\.18\.9\.9 is not in one of the pools/],
  ['the address is taken', {}, { [wantAddress]: '192.0.2.10' }, /192\.0\.2\.10 is in use by default\/first/],
  ['no address is left', {}, {}, /pool lan is full: 1 of 1 in use/],
  ['no pool has the family', { ipFamilies: ['IPv6'] }, {}, /pool lan has no IPv6 addresses/],
  ['the request is no address', {}, { [wantAddress]: 'one' }, /must be one address, .*found "one"/],
  [
    'the pools are asked for twice',
    {},
    { [wantPool]: 'lan', 'garpoon.io/address-pools': 'lan' },
    /both request pools: remove one of the two/,
  ],
  [
    'it is requested twice',
    { loadBalancerIP: '192.0.2.10' },
    { [wantAddress]: '192.0.2.10' },
    /both request addresses: remove spec\.loadBalancerIP/,
  ],
] as const satisfies readonly (readonly [string, Service['spec'], object, RegExp])[]) {
  test(
    `no address is given when ${why}, and that is told once`,
    inWorld(async (world, cluster) => {
      await world.markers();
      await cluster.pool('lan', lan(1));
      await world.start();
      await cluster.service('first');
      await world.has('first', '192.0.2.10');
      await cluster.service('web', spec, { annotations });
      for (const version of ['1', '2', '3']) {
        await cluster.edit('web', {}, { version });
        await world.settled();
      }
      assert.equal(await cluster.addresses('web'), '');
      const [event, ...others] = await cluster.events('web', 'AllocationFailed');
      assert.equal(others.length, 0);
      assert.equal(event?.count, 1);
      assert.equal(event.type, 'Warning');
      assert.match(event.message, /^Failed to allocate IP for "default\/web": /);
      assert.match(event.message, complaint);
    }),
  );
}

test(
  'a refusal is told again when its reason changes',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('web', {}, { annotations: { [wantPool]: 'dmz' } });
    await world.told('web', 'AllocationFailed', 1);
    await cluster.annotate('web', { [wantPool]: 'garden' });
    await world.told('web', 'AllocationFailed', 2);
    await cluster.annotate('web', { [wantPool]: 'lan' });
    await world.has('web', '192.0.2.10');
  }),
);

test(
  'a Service that is deleted and created anew under its name has an address again',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    for (let i = 0; i < 5; i++) {
      await cluster.service('web');
      await world.has('web', '192.0.2.10');
      await cluster.deleteService('web');
    }
  }),
);

test(
  'five hundred Services that are created at once all have an address of their own',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['198.18.0.0/22']);
    await world.start();
    await Promise.all(Array.from({ length: 500 }, (_, i) => cluster.service(`web-${i}`)));
    const addresses = await eventually(
      'all have one',
      async () => {
        const all = (await cluster.listServices()).map(addressText);
        return all.length === 500 && !all.includes('') ? all : undefined;
      },
      60_000,
    );
    assert.equal(new Set(addresses).size, 500);
  }),
  90_000,
);
