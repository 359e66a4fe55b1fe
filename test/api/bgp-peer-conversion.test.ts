import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { BGPPeer } from '../../src/api/bgp-peer.ts';
import {
  type BGPPeerV1beta1,
  peerFromV1beta1,
  peerToV1beta1,
  v1beta2Annotation,
} from '../../src/api/bgp-peer-conversion.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/bgp-peer-conversion');

const metadata = { name: 'tor', namespace: 'metallb-system', labels: { a: 'b' } };
const router = { myASN: 64_512, peerASN: 64_513, peerAddress: '198.51.100.1' };
const old = (spec: object): BGPPeerV1beta1 => ({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'BGPPeer',
  metadata,
  spec: { ...router, ...spec },
});
const current = (spec: object): BGPPeer => ({
  apiVersion: 'metallb.io/v1beta2',
  kind: 'BGPPeer',
  metadata,
  spec: { ...router, ...spec },
});

const shared = {
  sourceAddress: '198.51.100.2',
  peerPort: 1179,
  holdTime: '90s',
  keepaliveTime: '0s',
  routerID: '192.0.2.1',
  nodeSelectors: [{ matchLabels: { rack: 'r1' } }],
  password: 'secret',
  bfdProfile: 'fast',
  ebgpMultiHop: true,
};

test('what both versions have is the same in both', () => {
  assert.deepEqual(peerFromV1beta1(old(shared)), current(shared));
  assert.deepEqual(peerToV1beta1(current(shared)), old(shared));
});

test('timers that are not given stay so', () => {
  assert.deepEqual(peerFromV1beta1(old({})), current({}));
});

test('a port of 0 is none', () => {
  assert.deepEqual(peerFromV1beta1(old({ peerPort: 0 })), current({}));
});

test('what only v1beta2 has waits in an annotation', () => {
  const newer = { dynamicASN: 'external', interface: 'eth1', vrf: 'red', passwordSecret: { name: 'bgp' } } as const;
  const peer: BGPPeer = { ...current({}), spec: { myASN: 64_512, ...newer } };
  const converted = peerToV1beta1(peer);
  assert.deepEqual(converted.spec, { myASN: 64_512, peerASN: 0, peerAddress: '' });
  assert.deepEqual(JSON.parse(converted.metadata.annotations?.[v1beta2Annotation] ?? ''), newer);
  assert.deepEqual(peerFromV1beta1(converted), peer);
});

test('an update as v1beta1 changes what it says and keeps the rest', () => {
  const converted = peerToV1beta1(current({ vrf: 'red', holdTime: '90s' }));
  const { holdTime: _, ...spec } = converted.spec;
  const updated = peerFromV1beta1({ ...converted, spec: { ...spec, peerPort: 1179 } });
  assert.deepEqual(updated, current({ vrf: 'red', peerPort: 1179 }));
});

test('an annotation cannot speak for the fields of v1beta1, and an unreadable one stays where it is', () => {
  const annotated = (text: string) => ({
    ...old({}),
    metadata: { ...metadata, annotations: { [v1beta2Annotation]: text } },
  });
  assert.deepEqual(peerFromV1beta1(annotated('{"myASN":1,"vrf":"red"}')), current({ vrf: 'red' }));
  assert.deepEqual(peerFromV1beta1(annotated('{')).metadata, annotated('{').metadata);
});

const anySpec = fc.record(
  {
    peerPort: fc.integer({ min: 1, max: 16_384 }),
    holdTime: fc.constantFrom('0s', '90s'),
    localASN: fc.nat(),
    vrf: fc.string(),
    enableGracefulRestart: fc.boolean(),
    passwordSecret: fc.record({ name: fc.string() }, { noNullPrototype: true }),
    nodeSelectors: fc.constant([{}]),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test('v1beta2 there and back is the same object', () => {
  fc.assert(
    fc.property(anySpec, (spec) => assert.deepEqual(peerFromV1beta1(peerToV1beta1(current(spec))), current(spec))),
  );
});

test('any JSON at all is converted both ways without throwing', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (metadata, spec) => {
      peerFromV1beta1({ metadata, spec } as unknown as BGPPeerV1beta1);
      peerToV1beta1({ metadata, spec } as unknown as BGPPeer);
    }),
  );
});
