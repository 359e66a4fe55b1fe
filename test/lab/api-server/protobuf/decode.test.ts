import assert from 'node:assert/strict';
import { decodeProtobuf } from '../../../../src/lab/api-server/protobuf/decode.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('lab/api-server/protobuf/decode');

/** Length-delimited field. */
const bytes = (field: number, ...parts: (Buffer | string)[]): Buffer => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
};
const number = (field: number, value: number): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) | 0x80);
  }
}

const wrapped = (apiVersion: string, kind: string, ...raw: Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    bytes(1, bytes(1, apiVersion), bytes(2, kind)),
    bytes(2, ...raw),
    bytes(3, ''),
    bytes(4, ''),
  ]);

const entry = (key: string, value: string) => Buffer.concat([bytes(1, key), bytes(2, value)]);

test('a Namespace, as kubectl create namespace sends it', () => {
  // metadata {name, five empty texts, generation 0, an empty time}, spec {}, status {phase ""}
  const metadata = bytes(
    1,
    bytes(1, 'lab'),
    bytes(2, ''),
    bytes(3, ''),
    bytes(4, ''),
    bytes(5, ''),
    bytes(6, ''),
    number(7, 0),
    bytes(8, ''),
  );
  const body = wrapped('v1', 'Namespace', metadata, bytes(2, ''), bytes(3, bytes(1, '')));
  assert.deepEqual(decodeProtobuf(body), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lab' } });
});

test('a Service with its ports, labels and pointers', () => {
  const port = bytes(
    1,
    bytes(1, '80'),
    bytes(2, 'TCP'),
    number(3, 80),
    bytes(4, number(1, 0), number(2, 8080), bytes(3, '')),
    number(5, 0),
  );
  const named = bytes(1, bytes(1, 'x'), number(3, 443), bytes(4, number(1, 1), number(2, 0), bytes(3, 'tls')));
  const spec = bytes(
    2,
    port,
    named,
    bytes(2, entry('app', 'web')),
    bytes(4, 'LoadBalancer'),
    number(20, 0),
    bytes(18, 'None'),
  );
  const body = wrapped(
    'v1',
    'Service',
    bytes(1, bytes(1, 'web'), bytes(11, entry('a', 'b')), bytes(11, entry('c', 'd'))),
    spec,
  );
  assert.deepEqual(decodeProtobuf(body), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', labels: { a: 'b', c: 'd' } },
    spec: {
      ports: [
        { name: '80', protocol: 'TCP', port: 80, targetPort: 8080 },
        { name: 'x', port: 443, targetPort: 'tls' },
      ],
      selector: { app: 'web' },
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      clusterIPs: ['None'],
    },
  });
});

test('bytes become base64', () => {
  const { data } = decodeProtobuf(wrapped('v1', 'Secret', bytes(2, entry('key', 'value'))));
  assert.deepEqual(data, { key: Buffer.from('value').toString('base64') });
});

const refused: [name: string, body: Buffer][] = [
  ['no magic', Buffer.from('{"kind":"Namespace"}')],
  ['nothing', Buffer.alloc(0)],
  ['a kind that is taken as JSON only', wrapped('v1', 'Pod', bytes(1, bytes(1, 'x')))],
  ['a field that would be lost', wrapped('v1', 'Service', bytes(2, bytes(23, 'PreferClose')))],
  ['a length past the end', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, 0x7f, 0x00])])],
  ['a varint without an end', Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(12, 0xff)])],
  ['an unused wire type', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x0d, 0, 0, 0, 0])])],
  ['a number for a text', wrapped('v1', 'Namespace', bytes(1, number(1, 5)))],
];

for (const [name, body] of refused) {
  test(`refuses ${name}`, () => {
    assert.throws(() => decodeProtobuf(body), { code: 'BadRequest' });
  });
}
