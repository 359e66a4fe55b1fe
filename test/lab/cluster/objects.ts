import type { Node, Service } from '../../../src/kubernetes/core.ts';
import type { LabPod, PortedSlice } from '../../../src/lab/cluster/workload-objects.ts';

/** Objects for the tests of the cluster's stand-ins; all in the namespace `default`. */

export function service(name: string, spec: Service['spec'] = {}, addresses: readonly string[] = []): Service {
  return {
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
    status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
  };
}

export type EndpointRow = readonly [address: string, node: string, state?: 'ready' | 'not-ready' | 'terminating'];

export function slice(of: string, family: 'IPv4' | 'IPv6', rows: readonly EndpointRow[]): PortedSlice {
  return {
    metadata: {
      name: `${of}-${family.toLowerCase()}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': of },
    },
    addressType: family,
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: rows.map(([address, nodeName, state = 'ready']) => ({
      addresses: [address],
      nodeName,
      conditions: { ready: state === 'ready', serving: state !== 'not-ready', terminating: state === 'terminating' },
    })),
  };
}

export function pod(name: string, app: string, nodeName: string, podIPs: readonly string[] = [], ready = true): LabPod {
  return {
    metadata: { name, namespace: 'default', uid: `uid-${name}`, labels: { app } },
    spec: { nodeName, containers: [{ name: 'web', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: {
      phase: 'Running',
      podIPs: podIPs.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

export function node(name: string, { ready = true, labels = {}, unschedulable = false } = {}): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { unschedulable },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  };
}
