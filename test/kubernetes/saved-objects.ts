import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import type { State, StateOwner } from '../../src/kubernetes/saved-state-format.ts';

export const owner: StateOwner = { node: 'node-a', cluster: 'https://192.0.2.1:6443', namespace: 'metallb-system' };

export const savedAt = Date.UTC(2026, 0, 1);

/** A Service as a speaker keeps it, with an address of its own. */
export function savedService(number: number): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `web-${number}`, namespace: 'shop', uid: `uid-${number}`, resourceVersion: `${number + 1}` },
    spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' },
    status: { loadBalancer: { ingress: [{ ip: `198.18.${(number >> 8) & 255}.${number & 255}` }] } },
  } as KubernetesObject;
}

/** With so many Services, one Node, and no EndpointSlices. */
export function stateOf(services: number): State {
  return {
    asOf: savedAt,
    kinds: new Map<string, readonly KubernetesObject[]>([
      ['v1/services', Array.from({ length: services }, (_, i) => savedService(i))],
      ['v1/nodes', [{ metadata: { name: 'node-a', labels: { rack: 'größer\n7' } } }]],
      ['discovery.k8s.io/v1/endpointslices', []],
    ]),
  };
}
