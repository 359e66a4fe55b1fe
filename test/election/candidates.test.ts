import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type AddressWish, Candidates } from '../../src/election/candidates.ts';
import { Subnets } from '../../src/election/subnets.ts';
import { parseAddress } from '../../src/ip/address.ts';
import { type Prefix, parsePrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';
import { advertisement, clusterOf, selector } from './support.ts';

const test = suite('election/candidates');

const everywhere = [advertisement()];
const wish = (text: string, change: Partial<AddressWish> = {}): AddressWish => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return { address, advertisements: everywhere, localTo: undefined, ...change };
};

test('addresses that ask the same have the same array', () => {
  const candidates = new Candidates(clusterOf(['node-a', 'node-b']));
  const of = (change: Partial<AddressWish>, text = '10.0.0.1') => candidates.of(wish(text, change)).candidates;
  assert.equal(of({}), of({}, '10.0.0.2'));
  assert.equal(of({ localTo: 'node-a node-b' }), of({ localTo: 'node-a node-b' }, '2001:db8::1'));
  assert.notEqual(of({ localTo: 'node-a' }), of({}));
  assert.notEqual(of({ advertisements: [advertisement()] }), of({}));
  const [a, b, c] = ['node-a', 'node-b', 'node-a node-b'].map((localTo) =>
    candidates.of(wish('10.0.0.1', { localTo })),
  );
  assert.equal(candidates.together([a!, c!]), candidates.together([a!, c!]));
  assert.equal(candidates.together([b!, b!]), b);
});

test('why a node is no candidate is told of each, by name', () => {
  const exclude = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const cluster = clusterOf(
    [
      { name: 'node-h', labels: { rack: '1' }, draining: true },
      { name: 'node-a', labels: { rack: '2' } },
      { name: 'node-b', labels: { rack: '1' } },
      { name: 'node-c', labels: { rack: '1' } },
      { name: 'node-d', labels: { rack: '1', ...exclude } },
      { name: 'node-e', labels: { rack: '1' }, networkUnavailable: true },
      { name: 'node-f', labels: { rack: '1' } },
    ],
    {
      members: new Set(['node-a', 'node-b', 'node-d', 'node-e', 'node-f', 'node-h']),
      interfaces: new Map([['node-f', []]]),
    },
  );
  const advertisements = [advertisement({ nodeSelectors: [selector('rack=1')] })];
  const candidates = new Candidates(cluster);
  const list = candidates.of(wish('10.0.0.1', { advertisements }));
  const told = ({ excluded }: typeof list) => excluded().map(({ node, why }) => `${node} ${why}`);
  assert.deepEqual([...list.names], ['node-b']);
  const common = [
    'node-a noMatchingAdvertisement',
    'node-c noSpeaker',
    'node-d nodeLabeledExcludeBalancers',
    'node-e nodeNetworkUnavailable',
    'node-f interfaceAbsent',
  ];
  assert.deepEqual(told(list), [...common, 'node-h nodeDraining']);
  const near = candidates.of(wish('10.0.0.1', { advertisements, localTo: 'node-h' }));
  assert.deepEqual([...near.names], ['node-h']);
  assert.deepEqual(told(near), ['node-a noMatchingAdvertisement', 'node-b noLocalEndpoints', ...common.slice(1)]);
  const nowhere = candidates.of(wish('10.0.0.1', { advertisements, localTo: '' }));
  assert.deepEqual([nowhere.candidates, told(nowhere).at(-1)], [[], 'node-h noLocalEndpoints']);
});

test('how much a node is preferred is told with it', () => {
  const preferredNodeSelectors = [{ weight: 7, preference: selector('rack=1') }];
  const cluster = clusterOf([{ name: 'node-a', labels: { rack: '1' } }, 'node-b']);
  const { candidates } = new Candidates(cluster).of(
    wish('10.0.0.1', { advertisements: [advertisement({ preferredNodeSelectors })] }),
  );
  assert.deepEqual(
    candidates.map(({ node, weight }) => `${node} ${weight}`),
    ['node-a 7', 'node-b 0'],
  );
});

const anyPrefix = fc
  .tuple(fc.constantFrom('10.0.0.', '10.0.1.'), fc.nat(255), fc.integer({ min: 8, max: 32 }))
  .map(([start, last, length]) => parsePrefix(`${start}${last}/${length}`))
  .filter((prefix): prefix is Prefix => typeof prefix !== 'string');
const anyAddress = fc
  .tuple(fc.constantFrom('10.0.0.', '10.0.1.'), fc.nat(255))
  .map(([start, last]) => parseAddress(`${start}${last}`)!);

test('addresses are told apart exactly when a subnet has one and not the other', () => {
  fc.assert(
    fc.property(fc.array(anyPrefix, { maxLength: 8 }), anyAddress, anyAddress, (prefixes, a, b) => {
      const has = ({ value, length }: Prefix, address: typeof a) =>
        value >> BigInt(32 - length) === address.value >> BigInt(32 - length);
      const subnets = new Subnets(prefixes);
      const differ = prefixes.some((prefix) => has(prefix, a) !== has(prefix, b));
      assert.equal(subnets.of(a) !== subnets.of(b), differ);
      assert.equal(subnets.of(a) === '', !prefixes.some((prefix) => has(prefix, a)));
    }),
    { numRuns: 1_000 },
  );
});
