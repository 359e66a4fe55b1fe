import assert from 'node:assert/strict';
import { compile } from '../../src/config/compile.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { SpreadNotice } from '../../src/speaker/spread-notice.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/spread-notice');

const several = '192.0.2.1 192.0.2.2';
const [withoutRing, metallbs] = ['no ring: set it', "MetalLB's speakers: remove them"];

/** The notice of a cluster with a Service of each name, with these addresses. */
function scene(declared: Readonly<Record<string, string>>, isTeller = true) {
  const compiled = compile({
    pools: [{ metadata: { name: 'lan' }, spec: { addresses: ['192.0.2.0/24', '2001:db8::/120'] } }],
    l2Advertisements: [{ metadata: { name: 'lan' }, spec: {} }],
  });
  if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
  const { config } = compiled;
  const services = new Store<Service>({ log: silentLogger });
  const log = new RecordedLog();
  const told: string[] = [];
  const notice = new SpreadNotice({
    services,
    view: () => ({ config, loadBalancerClass: '' }),
    events: {
      record: (object, { type, reason, message }) =>
        told.push(`${object.metadata.name}: ${type} ${reason}: ${message}`),
    },
    log,
  });
  services.onChange((key) => notice.serviceChanged(key));
  const declare = (name: string, ips: string, spec: Service['spec'] = { type: 'LoadBalancer' }) => {
    const ingress = ips.split(' ').map((ip) => ({ ip }));
    services.set({
      metadata: { name, namespace: 'default', resourceVersion: `${name} ${ips}` },
      spec,
      status: { loadBalancer: { ingress } },
    });
  };
  for (const [name, ips] of Object.entries(declared)) declare(name, ips);
  const logged = () => ({
    begun: log.of('all addresses of a Service on one node').length,
    ended: log.of('addresses of one Service on different nodes again').length,
  });
  return { told, declare, logged, see: (because: string | undefined) => notice.see(because, isTeller) };
}

test('each Service with several addresses is told once that one node has all, and the log once, and when it is over', () => {
  const { told, declare, logged, see } = scene({ a: several, b: '192.0.2.3', c: '192.0.2.4 192.0.2.5' });
  see(undefined);
  assert.deepEqual([told, logged()], [[], { begun: 0, ended: 0 }]);
  see(metallbs);
  see(withoutRing);
  declare('a', `${several} 192.0.2.6`);
  const event = `Warning addressesNotSpread: one node announces all addresses, because ${metallbs}`;
  assert.deepEqual([told, logged()], [[`a: ${event}`, `c: ${event}`], { begun: 1, ended: 0 }]);
  see(undefined);
  see(undefined);
  assert.deepEqual([told.length, logged()], [2, { begun: 1, ended: 1 }]);
  see(metallbs);
  assert.deepEqual([told.length, logged()], [4, { begun: 2, ended: 1 }]);
});

test('a Service that comes to have several is told then, and again after it had fewer', () => {
  const { told, declare, see } = scene({ a: '192.0.2.1' });
  see(metallbs);
  assert.equal(told.length, 0);
  for (const ips of [several, '192.0.2.1', several]) declare('a', ips);
  assert.equal(told.length, 2);
});

for (const [fact, ips, spec] of [
  ['one address of each family', '192.0.2.1 2001:db8::1', undefined],
  ['one address twice', '192.0.2.1 192.0.2.1', undefined],
  ['a class of its own', several, { type: 'LoadBalancer', loadBalancerClass: 'example.com/other' }],
  ['addresses of no pool', '198.18.0.1 198.18.0.2', undefined],
] as const) {
  test(`a Service with ${fact} is told nothing`, () => {
    const { told, declare, see } = scene({});
    see(metallbs);
    declare('a', ips, spec);
    assert.deepEqual(told, []);
  });
}

test('who is not the teller tells its log alone', () => {
  const { told, logged, see } = scene({ a: several }, false);
  see(metallbs);
  assert.deepEqual([told, logged().begun], [[], 1]);
});
