import assert from 'node:assert/strict';
import { compile } from '../../src/config/compile.ts';
import type { EndpointSlice, Node, Pod, Service } from '../../src/kubernetes/core.ts';
import { decide, type View } from '../../src/speaker/decision.ts';
import { trimNode, trimPod, trimService, trimSlice } from '../../src/speaker/trim.ts';
import { suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('speaker/trim');

const padding = 'x'.repeat(10_000);
const metadata = {
  name: 'web',
  namespace: 'default',
  uid: 'uid',
  resourceVersion: '7',
  labels: { 'kubernetes.io/service-name': 'web', tier: 'web' },
  annotations: { 'kubectl.kubernetes.io/last-applied-configuration': padding, 'metallb.io/allow-shared-ip': 'key' },
  ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: padding, uid: 'owner' }],
};

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: {
    type: 'LoadBalancer',
    loadBalancerClass: 'example.com/lan',
    externalTrafficPolicy: 'Local',
    selector: { app: padding },
    ports: [{ port: 80, name: padding }],
  },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] }, conditions: [] },
};

const slice: EndpointSlice = {
  metadata,
  addressType: 'IPv4',
  endpoints: [{ addresses: [padding], nodeName: 'node-a', conditions: { ready: false, serving: true } }],
};

const node: Node = {
  metadata: {
    ...metadata,
    name: 'node-a',
    labels: { rack: '1' },
    annotations: { 'garpoon.io/weight': '2', 'garpoon.io/drain': 'true', 'garpoon.io/other': padding, x: padding },
  },
  spec: {
    taints: [
      { key: padding, effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/not-ready', value: padding, effect: 'NoExecute' },
    ],
  },
  status: {
    addresses: [{ type: 'Hostname', address: padding }],
    conditions: [
      { type: 'Ready', status: 'True', reason: padding },
      { type: 'NetworkUnavailable', status: 'True' },
    ],
  },
};

test('a decision about what is kept is the decision about the whole', () => {
  for (const selector of [{ tier: 'web' }, { tier: 'mail' }]) {
    const compiled = compile({
      pools: [{ metadata: { name: 'lan' }, spec: { addresses: ['192.0.2.0/24'] } }],
      l2Advertisements: [
        { metadata: { name: 'some' }, spec: { serviceSelectors: [{ matchLabels: selector }] } },
        { metadata: { name: 'all' }, spec: { interfaces: ['eth0'] } },
      ],
    });
    if ('errors' in compiled) throw new Error('the configuration has a fault');
    const view: View = {
      node: { name: 'node-a', labels: { rack: '1' } },
      config: compiled.config,
      cluster: {
        nodes: [{ name: 'node-a', labels: { rack: '1' }, networkUnavailable: false }],
        members: new Set(['node-a']),
        ignoreExcludeLabel: false,
      },
      loadBalancerClass: 'example.com/lan',
      strategy: 'metallb',
      hash: sha256,
    };
    assert.deepEqual(decide(trimService(service), [trimSlice(slice)], view), decide(service, [slice], view));
  }
});

test('what nobody reads is not kept', () => {
  const kept = [trimService(service), trimSlice(slice), trimNode(node)];
  for (const object of kept) assert.ok(JSON.stringify(object).length < 500, JSON.stringify(object).slice(0, 2_000));
});

test('what events, the watch and the election read is kept', () => {
  const { apiVersion, kind, metadata: meta } = trimService(service);
  assert.deepEqual([apiVersion, kind, meta.uid, meta.resourceVersion], ['v1', 'Service', 'uid', '7']);
  assert.deepEqual(trimNode(node).metadata.labels, { rack: '1' });
  assert.deepEqual(
    trimNode(node).status?.conditions?.map(({ type, ...rest }) => [type, rest]),
    [
      ['Ready', { status: 'True' }],
      ['NetworkUnavailable', { status: 'True' }],
    ],
  );
  assert.deepEqual(trimNode(node).metadata.annotations, { 'garpoon.io/weight': '2', 'garpoon.io/drain': 'true' });
  assert.deepEqual(trimNode(node).spec?.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }]);
  assert.deepEqual(trimNode({ metadata: { name: 'node-a' } }).status?.conditions, []);
  assert.equal(trimSlice({ metadata, addressType: 'IPv4', endpoints: null }).endpoints, null);
});

test('a Pod keeps where it is', () => {
  const pod: Pod = {
    metadata,
    spec: { nodeName: 'node-a' },
    status: { phase: 'Running', podIP: '198.18.0.1', podIPs: [{ ip: padding }] },
  };
  const { spec, status } = trimPod(pod);
  assert.deepEqual(
    { spec, status },
    { spec: { nodeName: 'node-a' }, status: { phase: 'Running', podIP: '198.18.0.1' } },
  );
  assert.deepEqual(trimPod({ metadata }).status, {});
});
