import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { parseIPAddressPool } from '../../src/api/ip-address-pool.ts';
import { formatRange } from '../../src/ip/range.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/pool-annotations');

const pool = (annotations: object) =>
  parseIPAddressPool({
    metadata: { name: 'office', namespace: 'metallb-system', annotations },
    spec: { addresses: ['192.0.2.0/24'] },
  });

function options(annotations: object) {
  const parsed = pool(annotations);
  assert.ok('value' in parsed);
  const { excluded, excludeNodeAddresses, coolDown, draining, sharingScope } = parsed.value;
  return { excluded: excluded.map(formatRange), excludeNodeAddresses, coolDown, draining, sharingScope };
}

const nothing = { excluded: [], excludeNodeAddresses: false, coolDown: 0, draining: false, sharingScope: 'cluster' };

test('everything is off unless asked for', () => assert.deepEqual(options({ 'example.org/x': 'y' }), nothing));

test('excluded ranges are sorted and merged, whatever their form and order', () => {
  const text = ' 2001:db8::/64,192.0.2.64/28, 192.0.2.5,192.0.2.4 ,192.0.2.10-192.0.2.20,192.0.2.15, 10.0.0.0/8';
  assert.deepEqual(options({ 'garpoon.io/exclude-addresses': text }).excluded, [
    '10.0.0.0/8',
    '192.0.2.4/31',
    '192.0.2.10-192.0.2.20',
    '192.0.2.64/28',
    '2001:db8::/64',
  ]);
});

for (const [key, value, changed] of [
  ['exclude-node-addresses', 'true', { excludeNodeAddresses: true }],
  ['exclude-node-addresses', 'false', {}],
  ['exclude-addresses', ' ', {}],
  ['cool-down', '10m', { coolDown: 600_000 }],
  ['cool-down', '720h', { coolDown: 2_592_000_000 }],
  ['drain', 'true', { draining: true }],
  ['sharing-scope', 'namespace', { sharingScope: 'namespace' }],
  ['sharing-scope', 'cluster', {}],
] as const) {
  test(`${key}: ${JSON.stringify(value)} is read`, () =>
    assert.deepEqual(options({ [`garpoon.io/${key}`]: value }), { ...nothing, ...changed }));
}

for (const [key, value, message] of [
  [
    'exclude-addresses',
    '192.0.2.1, gateway',
    'is no address, CIDR or range: write them like 192.0.2.5, 192.0.2.10-192.0.2.20, 192.0.2.64/28 (found "gateway")',
  ],
  ['exclude-node-addresses', 'True', 'must be one of true, false (found "True")'],
  ['cool-down', '721h', 'must be at most 720h (found "721h")'],
  ['drain', true, 'must be a text (found true)'],
  ['sharing-scope', '', 'must be one of cluster, namespace (found "")'],
] as const) {
  test(`${key}: ${JSON.stringify(value)} is refused like a bad field`, () => {
    const parsed = pool({ [`garpoon.io/${key}`]: value });
    assert.ok('problems' in parsed);
    const line = `IPAddressPool metallb-system/office: metadata.annotations[garpoon.io/${key}]: ${message}`;
    assert.deepEqual(parsed.problems.map(formatProblem), [line]);
  });
}
