import assert from 'node:assert/strict';
import { compile } from '../../src/config/compile.ts';
import { advertisementsFor, announcedInterfaces, preferenceWeight } from '../../src/election/advertisement.ts';
import { suite } from '../support/suite.ts';
import { advertisement, selector } from './support.ts';

const test = suite('election/advertisement');

const onRack1 = advertisement({ name: 'rack-1', nodeSelectors: [selector('rack=1')], interfaces: ['eth1', 'eth0'] });
const onRack2 = advertisement({
  name: 'rack-2',
  nodeSelectors: [selector('rack=2'), selector('spare=yes')],
  interfaces: ['eth2'],
});
const anywhere = advertisement({ name: 'anywhere' });

for (const [name, advertisements, labels, expected] of [
  ['those of an advertisement that covers it', [onRack1, onRack2], { rack: '1' }, ['eth0', 'eth1']],
  ['those of all that cover it together', [onRack1, onRack2], { rack: '1', spare: 'yes' }, ['eth0', 'eth1', 'eth2']],
  ['all when one names none', [onRack1, anywhere], { rack: '1' }, 'all'],
  ['none when nothing covers it', [onRack1, onRack2], { rack: '3' }, []],
] as const) {
  test(`the interfaces of a node are ${name}`, () => {
    assert.deepEqual(announcedInterfaces(advertisements, labels), expected);
  });
}

test('an advertisement is about the Services that one of its selectors matches', () => {
  const some = advertisement({ name: 'some', serviceSelectors: [selector('tier=web'), selector('tier=api')] });
  const names = (labels: Record<string, string>) => advertisementsFor(labels, [some, anywhere]).map((one) => one.name);
  assert.deepEqual(names({ tier: 'api' }), ['some', 'anywhere']);
  assert.deepEqual(names({ tier: 'db' }), ['anywhere']);
  assert.deepEqual(names({}), ['anywhere']);
});

test('weights add up over preferences and advertisements, of those that cover the node', () => {
  const prefer = (weight: number, text: string) => ({ weight, preference: selector(text) });
  const advertisements = [
    advertisement({ preferredNodeSelectors: [prefer(10, 'rack=1'), prefer(5, 'fast=yes'), prefer(100, 'rack=9')] }),
    advertisement({ preferredNodeSelectors: [prefer(20, 'rack=1')] }),
    advertisement({ preferredNodeSelectors: [prefer(40, 'rack=1')], nodeSelectors: [selector('rack=2')] }),
  ];
  assert.equal(preferenceWeight(advertisements, { rack: '1', fast: 'yes' }), 35);
  assert.equal(preferenceWeight(advertisements, { rack: '3' }), 0);
});

test('the advertisements of a configuration are understood as they are', () => {
  const compiled = compile({
    pools: [{ metadata: { name: 'office' }, spec: { addresses: ['192.0.2.0/24'] } }],
    l2Advertisements: [
      {
        metadata: { name: 'lan' },
        spec: { interfaces: ['eth0'], nodeSelectors: [{ matchLabels: { rack: '1' } }], serviceSelectors: [{}] },
      },
    ],
  });
  assert.ok('config' in compiled);
  const advertisements = advertisementsFor({}, compiled.config.pool('office')?.l2Advertisements ?? []);
  assert.deepEqual(announcedInterfaces(advertisements, { rack: '1' }), ['eth0']);
  assert.deepEqual(announcedInterfaces(advertisements, { rack: '2' }), []);
});
