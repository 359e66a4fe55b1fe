import assert from 'node:assert/strict';
import type { Pod } from '../../src/kubernetes/core.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import { type Host, hostsOf, Siblings } from '../../src/speaker/siblings.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/siblings');

const macOf = (number: number) =>
  `02:00:00:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;

/** A ring whose members a test may change, and a cache in which every MAC address has the addresses given. */
function world(cache: Readonly<Record<string, readonly string[]>> = {}, hosts: readonly Host[] = []) {
  const members: (Host & { readonly meta: Uint8Array })[] = [];
  const siblings = new Siblings({
    members: () => members,
    hosts: () => hosts,
    isAlive: (node) => members.some(({ name }) => name === node),
    addressesOf: (mac) => cache[mac] ?? [],
  });
  const join = (name: string, address: string, macs?: readonly string[]) =>
    members.push({ name, address, meta: macs === undefined ? new Uint8Array(0) : encodeMemberMeta(macs) });
  return { members, siblings, join };
}

test('a member is known by each of its MAC addresses, and a stranger by none', () => {
  const { siblings, join } = world();
  join('node-b', '198.18.0.2', [macOf(1), macOf(2)]);
  for (const mac of [macOf(1), macOf(2)]) assert.deepEqual(siblings.find(mac), { node: 'node-b', alive: true });
  assert.equal(siblings.find(macOf(3)), undefined);
});

test('a member that has gone is remembered as one that is not alive', () => {
  const { members, siblings, join } = world();
  join('node-b', '198.18.0.2', [macOf(1)]);
  siblings.look();
  members.length = 0;
  assert.deepEqual(siblings.find(macOf(1)), { node: 'node-b', alive: false });
});

test('a MAC address is of the member that told of it last', () => {
  const { members, siblings, join } = world();
  join('node-b', '198.18.0.2', [macOf(1)]);
  siblings.look();
  members.length = 0;
  join('node-c', '198.18.0.3', [macOf(1)]);
  assert.equal(siblings.find(macOf(1))?.node, 'node-c');
});

test('a member that tells nothing is known by the ARP cache', () => {
  const { siblings, join } = world({ [macOf(1)]: ['192.0.2.77', '198.18.0.2'], [macOf(2)]: ['198.18.0.9'] });
  join('node-b', '198.18.0.2');
  assert.deepEqual(siblings.find(macOf(1)), { node: 'node-b', alive: true });
  assert.equal(siblings.find(macOf(2)), undefined);
});

test('a speaker that is in no ring is known by its Pod and the ARP cache', () => {
  const { siblings } = world({ [macOf(1)]: ['198.18.0.2'] }, [{ name: 'node-b', address: '198.18.0.2' }]);
  assert.deepEqual(siblings.find(macOf(1)), { node: 'node-b', alive: false });
});

test('a host is found at its own address', () => {
  const { siblings, join } = world({}, [{ name: 'node-c', address: '198.18.0.3' }]);
  join('node-b', '198.18.0.2');
  assert.equal(siblings.hostAt('198.18.0.2'), 'node-b');
  assert.equal(siblings.hostAt('198.18.0.3'), 'node-c');
  assert.equal(siblings.hostAt('192.0.2.1'), undefined);
});

test('of the departed no more are remembered than there is room for', () => {
  const { members, siblings, join } = world();
  join('node-a', '198.18.0.1', [macOf(0)]);
  for (let first = 1; first <= 5_000; first += 50) {
    members.length = 1;
    join(
      'node-z',
      '198.18.0.2',
      Array.from({ length: 50 }, (_, i) => macOf(first + i)),
    );
    siblings.look();
  }
  assert.equal(siblings.find(macOf(1)), undefined);
  assert.equal(siblings.find(macOf(0))?.node, 'node-a');
  assert.equal(siblings.find(macOf(5_000))?.node, 'node-z');
});

test('the hosts are where Pods are that have an address and have not ended', () => {
  const pod = (nodeName?: string, podIP?: string, phase = 'Running') =>
    ({
      metadata: { name: 'speaker' },
      spec: nodeName === undefined ? {} : { nodeName },
      status: podIP === undefined ? { phase } : { phase, podIP },
    }) as Pod;
  const hosts = hostsOf([
    pod('node-a', '198.18.0.1'),
    pod('node-b', '198.18.0.2', 'Failed'),
    pod('node-c', '198.18.0.3', 'Succeeded'),
    pod('node-d', undefined, 'Pending'),
    pod(undefined, undefined, 'Pending'),
  ]);
  assert.deepEqual(hosts, [{ name: 'node-a', address: '198.18.0.1' }]);
});
