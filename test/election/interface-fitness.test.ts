import assert from 'node:assert/strict';
import { type NodeInterface, unfitness } from '../../src/election/interface-fitness.ts';
import { elect } from '../../src/election/metallb.ts';
import { parseAddress } from '../../src/ip/address.ts';
import { parsePrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';
import { advertisement, clusterOf, selector, serviceAt, sha256 } from './support.ts';

const test = suite('election/interface-fitness');

/** `eth0 192.0.2.0/24`; `!` before the name: down; `@`: only by name. */
function said(...rows: readonly string[]): readonly NodeInterface[] {
  return rows.map((row) => {
    const [word = '', ...texts] = row.split(' ');
    const prefixes = texts.map(parsePrefix).filter((prefix) => typeof prefix !== 'string');
    return { name: word.replace(/^[!@]/, ''), up: !word.startsWith('!'), onlyByName: word.startsWith('@'), prefixes };
  });
}

const lan = said('eth0 192.0.2.0/24 2001:db8::/64', 'eth1 198.51.100.0/25', '!eth2 203.0.113.0/24', '@vrf0 10.0.0.0/8');

for (const [what, interfaces, address, required, facts, expected] of [
  ['nobody knows', ['eth0'], '192.0.2.1', true, undefined, undefined],
  ['it has the interface', ['eth0'], '192.0.2.1', false, lan, undefined],
  ['it has another', ['eth7'], '192.0.2.1', false, lan, 'interfaceAbsent'],
  ['it has it by a glob', ['eth[0-3]'], '192.0.2.1', false, lan, undefined],
  ['no interface answers to the glob', ['bond*'], '192.0.2.1', false, lan, 'interfaceAbsent'],
  ['its interface is down', ['eth2'], '192.0.2.1', false, lan, 'interfaceDown'],
  ['one of two is down', ['eth2', 'eth1'], '192.0.2.1', false, lan, undefined],
  ['one of two is missing', ['eth7', 'eth1'], '192.0.2.1', false, lan, undefined],
  ['one is missing and one down', ['eth7', 'eth2'], '192.0.2.1', false, lan, 'interfaceDown'],
  ['any interface will do', 'all', '192.0.2.1', false, lan, undefined],
  ['any would do, and all are down', 'all', '192.0.2.1', false, said('!eth0', '!eth1'), 'interfaceDown'],
  ['any would do, and it has none', 'all', '192.0.2.1', false, [], 'interfaceAbsent'],
  ['any would do, and it has one that serves by name', 'all', '192.0.2.1', false, said('@vrf0'), 'interfaceAbsent'],
  ['it has one that serves by name, and is named', ['vrf0'], '192.0.2.1', false, lan, undefined],
  ['no interface may announce', [], '192.0.2.1', false, lan, 'interfaceAbsent'],
  ['it is in the subnet', ['eth0'], '192.0.2.200', true, lan, undefined],
  ['it is in the subnet on any interface', 'all', '198.51.100.1', true, lan, undefined],
  ['it is in the subnet of IPv6', ['eth0'], '2001:db8::99', true, lan, undefined],
  ['it is in another subnet of IPv6', ['eth0'], '2001:db8:0:1::1', true, lan, 'noSubnetAddress'],
  ['it is in the subnet elsewhere only', ['eth1'], '192.0.2.1', true, lan, 'noSubnetAddress'],
  ['it is just outside', 'all', '198.51.100.128', true, lan, 'noSubnetAddress'],
  ['it is in the subnet where it is down', ['eth0', 'eth2'], '203.0.113.1', true, lan, 'noSubnetAddress'],
  ['it is in the subnet by an interface that serves by name', 'all', '10.0.0.1', true, lan, 'noSubnetAddress'],
  ['it has no address', 'all', '192.0.2.1', true, said('eth0'), 'noSubnetAddress'],
  ['it is in every subnet', 'all', '192.0.2.1', true, said('eth0 0.0.0.0/0'), undefined],
  ['it is in every subnet of the other family', 'all', '192.0.2.1', true, said('eth0 ::/0'), 'noSubnetAddress'],
] as const) {
  test(`a node when ${what}: ${expected ?? 'fit'}`, () => {
    const demand = { address: parseAddress(address)!, interfaces, requireSubnetAddress: required };
    assert.equal(unfitness(demand, facts), expected);
  });
}

const abc = ['node-a', 'node-b', 'node-c'];
const onEth0 = [advertisement({ interfaces: ['eth0'] })];

test('among ours alone a node that lost its carrier is no candidate, and one that said nothing is', () => {
  const interfaces = new Map([
    ['node-b', said('!eth0')],
    ['node-c', said('eth1')],
  ]);
  const cluster = clusterOf(abc, { interfaces, oursAlone: true });
  const { owner, excluded } = elect(serviceAt('10.0.0.1', { advertisements: onEth0 }), cluster, sha256);
  assert.equal(owner, 'node-a');
  assert.deepEqual(excluded, [
    { node: 'node-b', why: 'interfaceDown' },
    { node: 'node-c', why: 'interfaceAbsent' },
  ]);
});

test('each node is held to the interfaces of the advertisements that are about it', () => {
  const on = (rack: string, name: string) =>
    advertisement({ name, nodeSelectors: [selector(`rack=${rack}`)], interfaces: [name] });
  const nodes = [
    { name: 'node-a', labels: { rack: '1' } },
    { name: 'node-b', labels: { rack: '2' } },
  ];
  const interfaces = new Map(nodes.map(({ name }) => [name, said('eth1 10.0.0.0/24', 'eth2 192.0.2.0/24')]));
  const cluster = clusterOf(nodes, { interfaces, oursAlone: true, requireSubnetAddress: true });
  const advertisements = [on('1', 'eth1'), on('2', 'eth2')];
  const { candidates, excluded } = elect(serviceAt('10.0.0.1', { advertisements }), cluster, sha256);
  assert.deepEqual(
    candidates.map(({ node }) => node),
    ['node-a'],
  );
  assert.deepEqual(excluded, [{ node: 'node-b', why: 'noSubnetAddress' }]);
});
