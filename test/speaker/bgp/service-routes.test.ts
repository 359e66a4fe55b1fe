import assert from 'node:assert/strict';
import { formatPrefix } from '../../../src/ip/prefix.ts';
import type { EndpointSlice, Service } from '../../../src/kubernetes/core.ts';
import { Store } from '../../../src/kubernetes/store.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { type NobodyReason, ServiceRoutes } from '../../../src/speaker/bgp/service-routes.ts';
import { sliceIndex } from '../../../src/speaker/service-reconciler.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { suite } from '../../support/suite.ts';
import { configOf, policyOf, serviceAt, slicesOf, type World } from './support.ts';

const test = suite('speaker/bgp/service-routes');

const key = 'default/web';

/** With one Service that has an endpoint on `node-a`, unless the test says otherwise. */
function bench(world?: World) {
  const services = new Store<Service>({ log: silentLogger });
  const slices = new Store<EndpointSlice, 'service'>({ log: silentLogger, indexes: sliceIndex });
  const log = new RecordedLog();
  const told: string[] = [];
  const changed: string[] = [];
  const routes = new ServiceRoutes({
    nodeName: 'node-a',
    services,
    slices,
    onChange: (service, changes) => changed.push(`${service} ${[...changes.keys()]}`),
    events: { record: (_service, { reason, message }) => void told.push(`${reason}: ${message}`) },
    log,
  });
  const serve = (...[addresses, ...more]: Parameters<typeof serviceAt>) => {
    services.replace([{ ...serviceAt(addresses, ...more), metadata: { name: 'web', namespace: 'default' } }]);
    routes.reconcile(key);
  };
  const reachable = (rows: string) => {
    const [shape] = slicesOf(rows);
    const addressType = 'IPv4';
    const labels = { 'kubernetes.io/service-name': 'web' };
    slices.replace([
      { ...shape, addressType, metadata: { name: 'web-1', namespace: 'default', labels } } as EndpointSlice,
    ]);
  };
  const follow = (next: World | NobodyReason = {}) => {
    routes.setPolicy(typeof next === 'string' ? next : policyOf(configOf(next)));
    routes.reconcile(key);
  };
  const to = (peer: string) => Array.from(routes.to(peer), ({ prefix }) => formatPrefix(prefix)).join(' ');
  reachable('node-a');
  if (world !== undefined) routes.setPolicy(policyOf(configOf(world)));
  return { routes, services, log, told, changed, serve, follow, reachable, to };
}

test('a Service is told of once, whatever is looked at again', () => {
  const { routes, log, told, changed, serve, to } = bench({});
  serve('192.0.2.1');
  serve('192.0.2.1');
  assert.equal(to('tor'), '192.0.2.1/32');
  assert.deepEqual(routes.peersOf(key), ['tor']);
  assert.deepEqual(changed, ['default/web tor']);
  assert.deepEqual(told, ['nodeAssigned: announcing from node "node-a" with protocol "bgp"']);
  assert.equal(log.of('serviceAnnounced').length, 1);
});

test('why it is withdrawn is told once, and that it is back', () => {
  const { routes, log, told, serve, reachable, to } = bench({});
  serve('192.0.2.1');
  reachable('node-a:unready');
  serve('192.0.2.1');
  serve('192.0.2.1');
  assert.equal(to('tor'), '');
  assert.equal(routes.peersOf(key), undefined);
  assert.deepEqual(
    log.of('serviceWithdrawn').map(({ reason }) => reason),
    ['noEndpoints'],
  );
  reachable('node-b');
  serve('192.0.2.1');
  assert.equal(told.length, 2);
});

test('a Service that was never announced is not withdrawn', () => {
  const { routes, services, log, changed, serve } = bench({});
  serve('203.0.113.1');
  services.replace([]);
  routes.reconcile(key);
  assert.equal(log.of('serviceWithdrawn').length, 0);
  assert.deepEqual(changed, []);
});

test('another address is other routes, and no other assignment', () => {
  const { routes, told, serve, to } = bench({});
  serve('192.0.2.1');
  serve('192.0.2.2 2001:db8::2');
  assert.equal(to('tor'), '192.0.2.2/32');
  assert.equal(told.length, 1);
  assert.deepEqual(
    Array.from(routes.announced('node-a'), ({ ip }) => ip),
    ['192.0.2.2', '2001:db8::2'],
  );
});

test('peers that come and go are told to whoever shows them, with the routes of others unchanged', () => {
  const { routes, changed, serve, follow } = bench({});
  serve('192.0.2.1');
  follow({ peers: { tor: {}, spine: {} } });
  assert.deepEqual(routes.peersOf(key), ['spine', 'tor']);
  follow({ peers: { spine: { peerAddress: '198.51.100.2' } } });
  assert.deepEqual(changed, ['default/web tor', 'default/web spine', 'default/web tor']);
});

for (const reason of ['noPeers', 'nodeDraining'] as const) {
  test(`with ${reason} what was told is taken back, and then no Service is of concern`, () => {
    const { routes, log, serve, follow, to } = bench();
    assert.equal(routes.concerns(key), false);
    routes.setPolicy(policyOf(configOf()));
    assert.equal(routes.concerns(key), true);
    serve('192.0.2.1');
    routes.setPolicy(reason);
    assert.equal(routes.concerns(key), true);
    follow(reason);
    assert.equal(routes.concerns(key), false);
    assert.equal(to('tor'), '');
    assert.deepEqual(
      log.of('serviceWithdrawn').map(({ reason }) => reason),
      [reason],
    );
  });
}

test('what an allow-list keeps back is told once', () => {
  const annotations = { 'garpoon.io/allowed-prefixes': '192.0.2.1/32' };
  const { told, serve, follow } = bench({ peers: { tor: { annotations } } });
  serve('192.0.2.2');
  follow({ peers: { tor: { annotations }, spine: {} } });
  serve('192.0.2.1');
  assert.deepEqual(
    told.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['routeRefused: 192.0.2.2/32', 'nodeAssigned: announcing'],
  );
});
