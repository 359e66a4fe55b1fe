import assert from 'node:assert/strict';
import { compile } from '../../src/config/compile.ts';
import type { EndpointSlice, Service } from '../../src/kubernetes/core.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { Announcer } from '../../src/layer2/announcer.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ServiceReconciler, sliceIndex } from '../../src/speaker/service-reconciler.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';
import { FakeResponder, sha256 } from './support.ts';

const test = suite('speaker/service-reconciler');

test('the Services of a node that died are named first, and those of the living are not', () => {
  const services = new Store<Service>({ log: silentLogger });
  const slices = new Store<EndpointSlice, 'service'>({ log: silentLogger, indexes: sliceIndex });
  const compiled = compile({
    pools: [{ metadata: { name: 'lan' }, spec: { addresses: ['192.0.2.0/24'] } }],
    l2Advertisements: [{ metadata: { name: 'everywhere' }, spec: {} }],
  });
  if ('errors' in compiled) throw new Error('the configuration has a fault');
  const names = ['node-a', 'node-b', 'node-c'];
  let members: ReadonlySet<string> = new Set(names);
  const announcer = new Announcer({
    responder: new FakeResponder(),
    probe: 'off',
    rate: 400,
    clock: new FakeClock(),
    onRefused() {},
  });
  const reconciler = new ServiceReconciler({
    services,
    slices,
    view: () => ({
      node: { name: 'node-a', labels: {} },
      config: compiled.config,
      cluster: {
        nodes: names.map((name) => ({ name, labels: {}, networkUnavailable: false })),
        members,
        ignoreExcludeLabel: false,
      },
      loadBalancerClass: '',
      strategy: 'metallb',
      hash: sha256,
    }),
    announcer,
    handover: { set: (key, wanted) => announcer.set(key, wanted) },
    events: { record() {} },
    log: silentLogger,
  });
  for (let i = 0; i < 100; i++) {
    const ip = `192.0.2.${i}`;
    const metadata = { name: `web-${i}`, namespace: 'default' };
    const labels = { 'kubernetes.io/service-name': metadata.name };
    services.set({ metadata, spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ ip }] } } });
    slices.set({ metadata: { ...metadata, labels }, addressType: 'IPv4', endpoints: [{ addresses: [] }] });
  }
  for (const key of services.keys()) reconciler.reconcile(key);
  assert.deepEqual(reconciler.orphans(members), []);
  members = new Set(['node-a', 'node-c']);
  const orphans = reconciler.orphans(members);
  const ofB = services.keys().filter((key) => {
    const ip = services.get(key)?.status?.loadBalancer?.ingress?.[0]?.ip ?? '';
    const ranked = names.toSorted((a, b) => Buffer.compare(sha256(`${a}#${ip}`), sha256(`${b}#${ip}`)));
    return ranked[0] === 'node-b';
  });
  assert.ok(ofB.length > 10 && ofB.length < 90);
  assert.deepEqual([...orphans].sort(), [...ofB].sort());
  for (const key of orphans) reconciler.reconcile(key);
  assert.deepEqual(reconciler.orphans(members), []);
  for (const key of services.keys()) {
    services.delete(key);
    reconciler.reconcile(key);
  }
  assert.deepEqual(reconciler.orphans(new Set()), []);
});
