import assert from 'node:assert/strict';
import type { Pool } from '../../src/config/config.ts';
import { Config } from '../../src/config/config.ts';
import { classBinding, isServed } from '../../src/controller/class-binding.ts';
import { serviceReviewer } from '../../src/controller/service-review.ts';
import type { Condition, Service } from '../../src/kubernetes/core.ts';
import { address, poolsOf } from '../allocator/support.ts';
import { suite } from '../support/suite.ts';

const test = suite('controller/class-binding');

const pools = poolsOf({
  dmz: { addresses: ['192.0.2.0/28'], autoAssign: false },
  front: { addresses: ['198.51.100.0/28'], autoAssign: false },
  lan: { addresses: ['203.0.113.0/28'] },
  plain: { addresses: ['198.18.1.0/28'] },
});

function configOf(classes: Config['classes'], of: readonly Pool[] = pools): Config {
  const { peers, bfdProfiles, reservations, layer2 } = Config.empty;
  return new Config({ pools: of, peers, bfdProfiles, reservations, classes, layer2 });
}

const classes = [
  { name: 'dmz', isDefault: false },
  { name: 'front', isDefault: true },
];
const withDefault = configOf(classes);
const withoutDefault = configOf(classes.map(({ name }) => ({ name, isDefault: false })));

type Case = {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Service['spec'];
  readonly bound?: string;
  readonly has?: string;
  readonly isMarked?: boolean;
};

function condition(type: string, message: string): Condition {
  return { type, status: 'True', reason: 'Some', message, lastTransitionTime: '2026-01-02T03:04:05Z' };
}

function serviceOf({ annotations = {}, spec = {}, bound, has, isMarked = false }: Case): Service {
  return {
    metadata: { namespace: 'default', name: 'web', annotations },
    spec: { type: 'LoadBalancer', clusterIPs: ['198.18.0.1'], ports: [{ port: 80 }], ...spec },
    status: {
      ...(has === undefined ? {} : { loadBalancer: { ingress: [{ ip: has }] } }),
      conditions: [
        ...(bound === undefined ? [] : [condition('network.deckhouse.io/load-balancer-class', bound)]),
        ...(isMarked ? [condition('garpoon.io/AddressesAssigned', '1 of 1 assigned')] : []),
      ],
    },
  };
}

const byAnnotation = (name: string) => ({ 'network.deckhouse.io/metal-load-balancer-class': name });
const ofClass = (loadBalancerClass: string) => ({ loadBalancerClass });

for (const [what, config, of, wanted, expected] of [
  ['none where there is no default', withoutDefault, {}, [], 'none'],
  ['the default', withDefault, {}, [], 'front there'],
  [
    'not the default, for a Service that names a pool',
    withDefault,
    { annotations: { 'metallb.io/address-pool': 'lan' } },
    [],
    'none',
  ],
  [
    'not the default, for one that names pools',
    withDefault,
    { annotations: { 'garpoon.io/address-pools': 'lan' } },
    [],
    'none',
  ],
  ['not the default, for one that names an address of another pool', withDefault, {}, ['203.0.113.1'], 'none'],
  ['the default, for one that names an address of its pool', withDefault, {}, ['198.51.100.1'], 'front there'],
  ['the default, for one that names an address of no pool', withDefault, {}, ['198.18.9.9'], 'front there'],
  ['not the default, for one that has an address of another pool', withDefault, { has: '203.0.113.1' }, [], 'none'],
  ['the default, for one that has an address of its pool', withDefault, { has: '198.51.100.1' }, [], 'front there'],
  ['not the default, for one of a class of ours', withDefault, { spec: ofClass('example.com/ours') }, [], 'none'],
  ['the annotation before the default', withDefault, { annotations: byAnnotation('dmz') }, [], 'dmz there'],
  ['an annotation that names no class', withDefault, { annotations: byAnnotation('lan') }, [], 'lan unknown'],
  ['an empty annotation', withDefault, { annotations: byAnnotation('') }, [], 'front there'],
  [
    'a pool that is named before the annotation',
    withDefault,
    { annotations: { ...byAnnotation('dmz'), 'metallb.universe.tf/address-pool': 'lan' } },
    [],
    'none',
  ],
  [
    'spec.loadBalancerClass before all annotations',
    withDefault,
    { annotations: { ...byAnnotation('front'), 'metallb.io/address-pool': 'lan' }, spec: ofClass('dmz') },
    [],
    'dmz there',
  ],
  [
    'the bound class before spec.loadBalancerClass',
    withDefault,
    { spec: ofClass('dmz'), bound: 'front' },
    [],
    'front there',
  ],
  [
    'the bound class before the annotation',
    withDefault,
    { annotations: byAnnotation('dmz'), bound: 'front' },
    [],
    'front there',
  ],
  ['a bound class that is gone', withDefault, { annotations: byAnnotation('dmz'), bound: 'old' }, [], 'old gone'],
  ['a bound class where there are none any more', configOf([]), { bound: 'old' }, [], 'old gone'],
  [
    'pools that are named when the bound class is gone',
    withDefault,
    { annotations: { 'garpoon.io/address-pools': 'lan' }, bound: 'old' },
    [],
    'none',
  ],
] as const satisfies readonly (readonly [string, Config, Case, readonly string[], string])[]) {
  test(`a Service is of ${what}`, () => {
    const binding = classBinding(serviceOf(of), { addresses: [], wanted: wanted.map(address) }, config);
    assert.equal(binding === undefined ? 'none' : `${binding.name} ${binding.state}`, expected);
  });
}

for (const [what, of, served, expected] of [
  ['of no class', {}, '', true],
  ['of no class, while we serve one', {}, 'example.com/ours', false],
  ['of the class that we serve', { spec: ofClass('example.com/ours') }, 'example.com/ours', true],
  ['of another', { spec: ofClass('example.com/other') }, '', false],
  ['of a class of Deckhouse', { spec: ofClass('dmz') }, '', true],
  ['of a class of Deckhouse, while we serve one', { spec: ofClass('dmz') }, 'example.com/ours', true],
  ['of a class that is gone and that we have served', { spec: ofClass('old'), bound: 'old', isMarked: true }, '', true],
  ['of a class that is gone and that others have served', { spec: ofClass('old'), bound: 'old' }, '', false],
  ['of no type LoadBalancer', { spec: { type: 'ClusterIP' } }, '', false],
] as const satisfies readonly (readonly [string, Case, string, boolean])[]) {
  test(`a Service ${what} is ${expected ? 'ours' : 'not ours'}`, () => {
    assert.equal(isServed(serviceOf(of), served, withDefault), expected);
  });
}

for (const [what, of, expected] of [
  ['names a class', { annotations: byAnnotation('dmz') }, []],
  [
    'names no class',
    { annotations: byAnnotation('none') },
    [/metal-load-balancer-class\]: names no MetalLoadBalancerClass/],
  ],
  ['names a pool as its class', { annotations: byAnnotation('lan') }, []],
  [
    'is of a class and names a pool',
    { spec: ofClass('dmz'), annotations: { 'metallb.io/address-pool': 'lan' } },
    [/address-pool\]: is ignored, because the Service is of the load balancer class dmz: remove it \(found "lan"\)/],
  ],
  [
    'is of a class and wants an address of another pool',
    { spec: ofClass('dmz'), annotations: { 'garpoon.io/external-ips': '203.0.113.1' } },
    [/external-ips\]: is in the pool lan, but dmz is requested/],
  ],
  [
    'is of a class that is gone',
    { bound: 'old' },
    [/class old, which is gone.*: bring the class back, or name a pool/],
  ],
] as const satisfies readonly (readonly [string, Case, readonly RegExp[]])[]) {
  test(`a Service that ${what} is allowed, with ${expected.length === 0 ? 'nothing said' : 'a warning'}`, () => {
    const review = serviceReviewer({ loadBalancerClass: '', config: () => withDefault });
    const request = { subresource: '', object: serviceOf(of), oldObject: undefined };
    const verdict = review(request as never);
    assert.ok('allowed' in verdict && verdict.allowed);
    assert.equal(verdict.warnings?.length, expected.length, verdict.warnings?.join('\n'));
    for (const [i, warning] of expected.entries()) assert.match(verdict.warnings?.[i] ?? '', warning);
  });
}
