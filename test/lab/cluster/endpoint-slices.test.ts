import assert from 'node:assert/strict';
import type { Service } from '../../../src/kubernetes/core.ts';
import { slicesOf } from '../../../src/lab/cluster/endpoint-slice-controller.ts';
import type { LabPod } from '../../../src/lab/cluster/workload-objects.ts';
import { suite } from '../../support/suite.ts';
import { pod, service } from './objects.ts';

const test = suite('lab/endpoint-slices');

/** `NAME PORT: ADDRESS@NODE STATE, …`, the state as ready/serving/terminating. */
const lines = (of: Service, pods: readonly LabPod[]) =>
  slicesOf(of, pods).map((slice) => {
    const endpoints = (slice.endpoints ?? []).map(({ addresses, nodeName, conditions }) => {
      const on = Object.entries(conditions ?? {}).filter(([, value]) => value);
      return `${addresses}@${nodeName} ${on.map(([name]) => name).join('+') || 'down'}`;
    });
    return `${slice.metadata.name} ${slice.ports?.map((port) => port.port)}: ${endpoints.join(', ') || 'none'}`;
  });

const both: readonly ('IPv4' | 'IPv6')[] = ['IPv4', 'IPv6'];
const web1 = pod('web-1', 'web', 'n1', ['198.19.1.2', '2001:db8:0:1001::2']);
const web2 = pod('web-2', 'web', 'n2', ['198.19.2.2', '2001:db8:0:1002::2']);
const leaving = { ...web2, metadata: { ...web2.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };

const cases: readonly (readonly [string, Service, readonly LabPod[], readonly string[]])[] = [
  [
    'one slice for each family',
    service('web', { ipFamilies: both }),
    [web2, web1],
    [
      'web-ipv4 8080: 198.19.1.2@n1 ready+serving, 198.19.2.2@n2 ready+serving',
      'web-ipv6 8080: 2001:db8:0:1001::2@n1 ready+serving, 2001:db8:0:1002::2@n2 ready+serving',
    ],
  ],
  ['IPv4 when the families are not known', service('web'), [web1], ['web-ipv4 8080: 198.19.1.2@n1 ready+serving']],
  [
    'a pod that is not ready is listed as such',
    service('web'),
    [pod('web-1', 'web', 'n1', ['198.19.1.2'], false)],
    ['web-ipv4 8080: 198.19.1.2@n1 down'],
  ],
  ['a pod on its way out serves', service('web'), [leaving], ['web-ipv4 8080: 198.19.2.2@n2 serving+terminating']],
  ['a pod without an address is not there yet', service('web'), [pod('web-1', 'web', 'n1')], ['web-ipv4 8080: none']],
  ['only selected pods count', service('web'), [pod('x', 'other', 'n1', ['198.19.1.9'])], ['web-ipv4 8080: none']],
  [
    'a port name is looked up in the pods',
    service('web', {
      ports: [
        { port: 80, targetPort: 'http' },
        { name: 'none', port: 81, targetPort: 'none' },
      ],
    }),
    [web1],
    ['web-ipv4 8080,: 198.19.1.2@n1 ready+serving'],
  ],
  [
    'without a target port it is the port itself',
    service('web', { ports: [{ port: 80 }] }),
    [web1],
    ['web-ipv4 80: 198.19.1.2@n1 ready+serving'],
  ],
  ['without a selector nothing is ours', service('web', { selector: {} }), [web1], []],
];
for (const [name, of, pods, want] of cases) {
  test(name, () => assert.deepEqual(lines(of, pods), want));
}
