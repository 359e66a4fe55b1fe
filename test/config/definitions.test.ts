import assert from 'node:assert/strict';
import * as kinds from '../../src/kubernetes/config-kinds.ts';
import { addressReservations, bgpPeers, ipAddressPools } from '../../src/kubernetes/config-kinds.ts';
import * as metalKinds from '../../src/kubernetes/metal-kinds.ts';
import { objectAt, objectsAt, stringAt } from '../../src/lab/api-server/json.ts';
import { needExpressions } from '../../src/lab/api-server/schema/expression.ts';
import { type Schema, subschemas } from '../../src/lab/api-server/schema/schema.ts';
import { suite } from '../support/suite.ts';
import { definitions, type Resource, refusalsOfServer } from './fixtures.ts';

const test = suite('config/definitions');

test.before(() => needExpressions());

const versionsOf = (kind: string) => {
  const found = definitions.find((one) => stringAt(one, 'spec', 'names', 'kind') === kind);
  assert.ok(found, kind);
  return objectsAt(found, 'spec', 'versions');
};

test('there is a definition of every kind that we read or write, at the version that we use', () => {
  const defined = definitions.flatMap((one) =>
    objectsAt(one, 'spec', 'versions')
      .filter((version) => version.storage === true)
      .map(({ name }) => `${one.metadata.name}/${name} ${stringAt(one, 'spec', 'names', 'kind')}`),
  );
  const used = Object.values({ ...kinds, ...metalKinds }).map(
    ({ group, version, plural, kind }) => `${plural}.${group}/${version} ${kind}`,
  );
  assert.deepEqual(defined.sort(), used.sort());
});

for (const [kind, columns] of [
  [
    'IPAddressPool',
    'Auto Assign, Avoid Buggy IPs, Addresses, Assigned IPv4, Available IPv4, Assigned IPv6, Available IPv6',
  ],
  ['L2Advertisement', 'IPAddressPools, IPAddressPool Selectors, Interfaces, Node Selectors'],
  ['BGPAdvertisement', 'IPAddressPools, IPAddressPool Selectors, Peers, Node Selectors'],
  ['BGPPeer', 'Address, ASN, BFD Profile, Multi Hops'],
  ['BFDProfile', 'Passive Mode, Transmit Interval, Receive Interval, Multiplier'],
  ['Community', ''],
  [
    'ServiceL2Status',
    'Allocated Node, Service Name, Service Namespace, Address, MAC, Since, Verified, Previous Node, Verified By, Conflict',
  ],
  ['ServiceBGPStatus', 'Node, Service Name, Service Namespace'],
  ['ConfigurationState', 'Result, ErrorSummary, Age'],
  ['AddressReservation', 'Service Namespace, Service, Addresses, Holder, Age'],
  ['MetalLoadBalancerClass', 'Default, Addresses, Interfaces, Age'],
  ['MetalLoadBalancerPool', 'Auto Assign, Avoid Buggy IPs, Addresses, Age'],
  ['MetalLoadBalancerBGPPeer', 'Address, ASN, Age'],
  ['MetalLoadBalancerConfiguration', 'Mode, Peers, Age'],
  ['Layer2Policy', 'Election, Fail Back, Require Subnet Address, On Conflict, Age'],
] as const) {
  test(`kubectl shows of a ${kind}: ${columns || 'its name'}`, () => {
    for (const version of versionsOf(kind)) {
      const names = objectsAt(version, 'additionalPrinterColumns').map(({ name }) => name);
      assert.equal(names.join(', '), columns);
      assert.notEqual(objectAt(version, 'subresources').status, undefined);
    }
  });
}

test('a label selector is described by the same words and rules wherever there is one', () => {
  const all = definitions
    .flatMap((one) => objectsAt(one, 'spec', 'versions'))
    .flatMap((version) => schemasIn(objectAt(version, 'schema', 'openAPIV3Schema') as Schema))
    .filter(({ properties }) => properties?.matchExpressions !== undefined);
  assert.equal(all.length, 11);
  assert.equal(
    new Set(all.map(({ description: _, ...schema }: Schema & { description?: string }) => JSON.stringify(schema))).size,
    1,
  );
});

test('every field is described, and every rule says what is wrong', () => {
  for (const definition of definitions) {
    for (const version of objectsAt(definition, 'spec', 'versions')) {
      const root = objectAt(version, 'schema', 'openAPIV3Schema') as Schema;
      for (const [path, schema] of described(root, '')) {
        const where = `${definition.metadata.name}: ${path}`;
        if (path !== 'metadata') assert.ok((schema as { description?: string }).description, where);
        for (const rule of schema['x-kubernetes-validations'] ?? []) assert.ok(stringAt(rule, 'message'), where);
      }
    }
  }
});

test('BGPPeers are convertible by name alone, until the webhook carries the rest, and v1beta1 warns', () => {
  const definition = definitions.find(({ metadata }) => metadata.name === 'bgppeers.metallb.io');
  // Or kubectl apply, for the second time, would set the strategy beside the webhook, which the API server refuses.
  assert.equal(stringAt(definition, 'spec', 'conversion', 'strategy'), '');
  const [old, current] = versionsOf('BGPPeer');
  assert.deepEqual([old?.name, old?.storage, old?.deprecated], ['v1beta1', false, true]);
  assert.deepEqual([current?.name, current?.storage, current?.deprecated], ['v1beta2', true, undefined]);
  const fields = (version: typeof old) =>
    Object.keys(objectAt(version, 'schema', 'openAPIV3Schema', 'properties', 'spec', 'properties'));
  assert.deepEqual(
    fields(old).filter((field) => !fields(current).includes(field)),
    [],
  );
});

const router = { myASN: 64_512, peerASN: 64_513, peerAddress: '198.51.100.1' };
const peer = (spec: object) => ({
  apiVersion: `${bgpPeers.group}/${bgpPeers.version}`,
  kind: bgpPeers.kind,
  metadata: { name: 'tor', namespace: 'metallb-system', resourceVersion: '1' },
  spec: { ...router, ...spec },
});
const status = (kind: string, status: object) => ({
  apiVersion: 'metallb.io/v1beta1',
  kind,
  metadata: { name: 'one', namespace: 'metallb-system', resourceVersion: '1' },
  status,
});
const place = { node: 'a', serviceName: 'web', serviceNamespace: 'shop' };

for (const [name, before, after, fields] of [
  [
    'graceful restart is switched',
    peer({ enableGracefulRestart: true }),
    peer({ enableGracefulRestart: false }),
    ['spec.enableGracefulRestart'],
  ],
  ['graceful restart is set for the first time', peer({}), peer({ enableGracefulRestart: true }), []],
  [
    'another field of a peer changes',
    peer({ enableGracefulRestart: true }),
    peer({ enableGracefulRestart: true, vrf: 'a' }),
    [],
  ],
  ['a status is filled', status('ServiceL2Status', {}), status('ServiceL2Status', place), []],
  [
    'the node of a status changes',
    status('ServiceL2Status', place),
    status('ServiceL2Status', { ...place, node: 'b' }),
    ['status.node'],
  ],
  [
    'a status is made that of another Service',
    status('ServiceBGPStatus', place),
    status('ServiceBGPStatus', { ...place, serviceName: 'x', serviceNamespace: 'y' }),
    ['status.serviceName', 'status.serviceNamespace'],
  ],
  [
    'the peers of a status change',
    status('ServiceBGPStatus', place),
    status('ServiceBGPStatus', { ...place, peers: ['tor'] }),
    [],
  ],
  [
    'a result is no word that it may be',
    status('ConfigurationState', {}),
    status('ConfigurationState', { result: 'Good' }),
    ['status.result'],
  ],
] as const) {
  test(`when ${name}, ${fields.length === 0 ? 'nothing' : fields.join(' and ')} is refused`, () => {
    const refusals = refusalsOfServer([after as Resource], before as Resource);
    assert.deepEqual(
      refusals.map(({ field }) => field),
      fields,
    );
  });
}

test('the status of a pool has room for 500 assignments, and that of a reservation says who has it', () => {
  const counts = { assignedIPv4: 501, assignedIPv6: 0, availableIPv4: 0, availableIPv6: 0, assignmentsOmitted: 1 };
  const assignments = (count: number) =>
    [...Array(count).keys()].map((i) => ({
      address: `192.0.2.${i}`,
      services: ['shop/web'],
      since: '2026-01-02T03:04:05Z',
    }));
  const pool = (count: number) => ({
    ...peer({}),
    apiVersion: `${ipAddressPools.group}/${ipAddressPools.version}`,
    kind: ipAddressPools.kind,
    spec: { addresses: ['192.0.2.0/24'] },
    status: { ...counts, assignments: assignments(count) },
  });
  assert.deepEqual(refusalsOfServer([pool(500)]), []);
  assert.deepEqual(
    refusalsOfServer([pool(501)], pool(500)).map(({ field }) => field),
    ['status.assignments'],
  );
  const reservation = {
    ...peer({}),
    apiVersion: `${addressReservations.group}/${addressReservations.version}`,
    kind: addressReservations.kind,
    spec: { service: { namespace: 'shop', name: 'web' } },
    status: { addresses: ['192.0.2.5'], holder: 'shop/web', since: '2026-01-02T03:04:05Z' },
  };
  assert.deepEqual(refusalsOfServer([reservation], reservation), []);
});

function schemasIn(schema: Schema): Schema[] {
  return [schema, ...subschemas(schema).flatMap(schemasIn)];
}

function described(schema: Schema, path: string): (readonly [string, Schema])[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, below]) => {
    const inside = path === '' ? key : `${path}.${key}`;
    return [[inside, below] as const, ...described(below, inside)];
  });
  return schema.items === undefined ? own : [...own, ...described(schema.items, `${path}[]`)];
}
