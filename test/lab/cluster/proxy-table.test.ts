import assert from 'node:assert/strict';
import { formatAddress } from '../../../src/ip/address.ts';
import type { Service } from '../../../src/kubernetes/core.ts';
import { type ProxyEntry, proxyTable } from '../../../src/lab/cluster/proxy-table.ts';
import type { PortedSlice } from '../../../src/lab/cluster/workload-objects.ts';
import { suite } from '../../support/suite.ts';
import { service, slice } from './objects.ts';

const test = suite('lab/proxy-table');

/** On node n1, one line for an entry: `NAME INSIDE / OUTSIDE -> BACKENDS [local BACKENDS]`. */
const line = (entry: ProxyEntry) => {
  const list = (backends: ProxyEntry['backends']) =>
    backends.map(({ address, port }) => `${formatAddress(address)} ${port}`).join(', ') || 'none';
  const inside = entry.clusterAddresses.map(formatAddress).join(' ');
  const outside = entry.externalAddresses.map(formatAddress).join(' ') || 'none';
  const local = entry.localBackends === undefined ? '' : ` local ${list(entry.localBackends)}`;
  return `${entry.name} ${entry.protocol} ${entry.port}: ${inside} / ${outside} -> ${list(entry.backends)}${local}`;
};

const dual = { clusterIPs: ['198.19.128.1', '2001:db8:0:ff::1'] };
const single = { clusterIPs: ['198.19.128.1'] };
const [vip4, vip6] = ['198.18.0.100', '2001:db8:0:1::100'];

const cases: readonly (readonly [string, readonly Service[], readonly PortedSlice[], readonly string[]])[] = [
  [
    'each family of a Service is an entry of its own',
    [service('web', dual, [vip4, vip6])],
    [slice('web', 'IPv4', [['198.19.1.2', 'n1']]), slice('web', 'IPv6', [['2001:db8:0:1001::2', 'n1']])],
    [
      'default/web tcp 80: 198.19.128.1 / 198.18.0.100 -> 198.19.1.2 8080',
      'default/web tcp 80: 2001:db8:0:ff::1 / 2001:db8:0:1::100 -> 2001:db8:0:1001::2 8080',
    ],
  ],
  [
    'backends are everywhere, in order',
    [service('web', single, [vip4])],
    [
      slice('web', 'IPv4', [
        ['198.19.10.2', 'n1'],
        ['198.19.2.2', 'n2'],
      ]),
    ],
    ['default/web tcp 80: 198.19.128.1 / 198.18.0.100 -> 198.19.2.2 8080, 198.19.10.2 8080'],
  ],
  [
    'under Local the outside has the backends of this node only',
    [service('web', { ...single, externalTrafficPolicy: 'Local' }, [vip4])],
    [
      slice('web', 'IPv4', [
        ['198.19.1.2', 'n1'],
        ['198.19.2.2', 'n2'],
      ]),
    ],
    ['default/web tcp 80: 198.19.128.1 / 198.18.0.100 -> 198.19.1.2 8080, 198.19.2.2 8080 local 198.19.1.2 8080'],
  ],
  [
    'under Local without a backend here the outside has none',
    [service('web', { ...single, externalTrafficPolicy: 'Local' }, [vip4])],
    [slice('web', 'IPv4', [['198.19.2.2', 'n2']])],
    ['default/web tcp 80: 198.19.128.1 / 198.18.0.100 -> 198.19.2.2 8080 local none'],
  ],
  [
    'endpoints that are not ready are left out',
    [service('web', single)],
    [
      slice('web', 'IPv4', [
        ['198.19.1.2', 'n1', 'not-ready'],
        ['198.19.2.2', 'n2'],
        ['198.19.3.2', 'n3', 'terminating'],
      ]),
    ],
    ['default/web tcp 80: 198.19.128.1 / none -> 198.19.2.2 8080'],
  ],
  [
    'endpoints that serve while they terminate are the last resort',
    [service('web', single)],
    [
      slice('web', 'IPv4', [
        ['198.19.1.2', 'n1', 'not-ready'],
        ['198.19.3.2', 'n3', 'terminating'],
      ]),
    ],
    ['default/web tcp 80: 198.19.128.1 / none -> 198.19.3.2 8080'],
  ],
  [
    'a Service without slices has no backends',
    [service('web', single, [vip4])],
    [slice('other', 'IPv4', [['198.19.1.2', 'n1']])],
    ['default/web tcp 80: 198.19.128.1 / 198.18.0.100 -> none'],
  ],
  [
    'ports are matched by name and protocol',
    [
      service('dns', {
        ...single,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        ],
      }),
    ],
    [
      {
        ...slice('dns', 'IPv4', [['198.19.1.2', 'n1']]),
        ports: [
          { name: 'dns', port: 5353, protocol: 'UDP' },
          { name: 'dns-tcp', port: 5354, protocol: 'TCP' },
        ],
      },
    ],
    [
      'default/dns:dns udp 53: 198.19.128.1 / none -> 198.19.1.2 5353',
      'default/dns:dns-tcp tcp 53: 198.19.128.1 / none -> 198.19.1.2 5354',
    ],
  ],
  [
    'headless, external and unfinished Services have no entry',
    [service('headless', { clusterIP: 'None', clusterIPs: ['None'] }), service('name', { type: 'ExternalName' })],
    [],
    [],
  ],
  [
    'host names and what a proxy ends itself are not our addresses',
    [
      {
        ...service('web', single),
        status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }, { ip: vip4, ipMode: 'Proxy' }] } },
      },
    ],
    [],
    ['default/web tcp 80: 198.19.128.1 / none -> none'],
  ],
  [
    'Services are in order of their keys',
    [service('b', single), service('a', { clusterIPs: ['198.19.128.2'] })],
    [],
    ['default/a tcp 80: 198.19.128.2 / none -> none', 'default/b tcp 80: 198.19.128.1 / none -> none'],
  ],
];

for (const [name, services, slices, want] of cases) {
  test(name, () => assert.deepEqual(proxyTable(services, slices, 'n1').map(line), want));
}
