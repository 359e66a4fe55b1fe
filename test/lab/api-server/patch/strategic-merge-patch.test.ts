import assert from 'node:assert/strict';
import type { JsonObject } from '../../../../src/lab/api-server/json.ts';
import { builtinLists } from '../../../../src/lab/api-server/patch/list-layout.ts';
import { applyStrategicMergePatch } from '../../../../src/lab/api-server/patch/strategic-merge-patch.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('lab/api-server/patch/strategic-merge-patch');

const ports = (...list: JsonObject[]): JsonObject => ({ spec: { ports: list } });
const http = { port: 80, name: 'http' };
const https = { port: 443, name: 'https' };
const dns = { port: 53, name: 'dns' };

const cases: [name: string, kind: string, target: JsonObject, patch: JsonObject, want: JsonObject][] = [
  [
    'merges list items by their key',
    'Service',
    ports(http, https),
    ports({ port: 443, name: 'tls' }),
    ports(http, { port: 443, name: 'tls' }),
  ],
  ['puts items without a match in front', 'Service', ports(http), ports(https), ports(https, http)],
  ['deletes an item', 'Service', ports(http, https), ports({ $patch: 'delete', port: 80 }), ports(https)],
  ['deletes nothing quietly', 'Service', ports(http), ports({ $patch: 'delete', port: 9 }), ports(http)],
  ['replaces a list', 'Service', ports(http, https), ports({ $patch: 'replace' }, dns), ports(dns)],
  [
    'orders a list as the client has it',
    'Service',
    ports(http, https),
    { spec: { '$setElementOrder/ports': [{ port: 53 }, { port: 443 }, { port: 80 }], ports: [dns] } },
    ports(dns, https, http),
  ],
  [
    'keeps what only the server has where it was',
    'Service',
    ports(http, https, dns),
    { spec: { '$setElementOrder/ports': [{ port: 53 }, { port: 80 }] } },
    ports(https, dns, http),
  ],
  [
    'the patch of kubectl apply for a changed port',
    'Service',
    ports(http, https),
    { spec: { '$setElementOrder/ports': [{ port: 80 }, { port: 53 }], ports: [dns, { $patch: 'delete', port: 443 }] } },
    ports(http, dns),
  ],
  [
    'merges maps',
    'Service',
    { spec: { selector: { a: 'b' } } },
    { spec: { selector: { c: 'd' } } },
    { spec: { selector: { a: 'b', c: 'd' } } },
  ],
  [
    'deletes with null',
    'Service',
    { spec: { selector: { a: 'b' }, x: 1 } },
    { spec: { selector: null } },
    { spec: { x: 1 } },
  ],
  [
    'replaces a map',
    'Service',
    { spec: { selector: { a: 'b' } } },
    { spec: { selector: { $patch: 'replace', c: 'd' } } },
    { spec: { selector: { c: 'd' } } },
  ],
  [
    'empties a map',
    'Service',
    { spec: { selector: { a: 'b' } } },
    { spec: { selector: { $patch: 'delete' } } },
    { spec: { selector: {} } },
  ],
  [
    'keeps only the keys that are named',
    'Deployment',
    { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
    { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    { spec: { strategy: { type: 'Recreate' } } },
  ],
  [
    'merges lists of plain values',
    'Service',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { '$setElementOrder/finalizers': ['a', 'b', 'c'], finalizers: ['c'] } },
    { metadata: { finalizers: ['a', 'b', 'c'] } },
  ],
  [
    'deletes from lists of plain values',
    'Service',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
    { metadata: { finalizers: ['b'] } },
  ],
  [
    'merges conditions by type',
    'Node',
    {
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Disk', status: 'False' },
        ],
      },
    },
    { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
    {
      status: {
        conditions: [
          { type: 'Ready', status: 'Unknown' },
          { type: 'Disk', status: 'False' },
        ],
      },
    },
  ],
  [
    'merges lists inside lists',
    'Pod',
    { spec: { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }] }] } },
    { spec: { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] } },
    {
      spec: {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'Y', value: '2' },
              { name: 'X', value: '1' },
            ],
          },
        ],
      },
    },
  ],
  [
    'replaces lists that are not merged',
    'EndpointSlice',
    { endpoints: [{ addresses: ['192.0.2.1'] }] },
    { endpoints: [{ addresses: ['192.0.2.2'] }] },
    { endpoints: [{ addresses: ['192.0.2.2'] }] },
  ],
];

for (const [name, kind, target, patch, want] of cases) {
  test(name, () => {
    const before = structuredClone(target);
    assert.deepEqual(applyStrategicMergePatch(target, patch, builtinLists(kind)), want);
    assert.deepEqual(target, before, 'the target stays as it was');
  });
}

test('refuses an item without its key and an unknown directive', () => {
  const lists = builtinLists('Service');
  for (const patch of [ports({ name: 'x' }), { spec: { $patch: 'bend' } }]) {
    assert.throws(() => applyStrategicMergePatch(ports(http), patch, lists), { code: 'BadRequest' });
  }
});
