import { nodeAnnotations } from '../api/node-annotations.ts';
import { annotationPrefixes } from '../api/service-annotations.ts';
import type { EndpointSlice, Node, Pod, Service } from '../kubernetes/core.ts';
import { trimMetadata } from '../kubernetes/trim-metadata.ts';
import { isElectionTaint } from './node-facts.ts';

/** What a speaker keeps of the objects it watches: a Node alone is some 20 kB, most of it image names. */

export function trimService(service: Service): Service {
  const { metadata, spec, status, ...type } = service;
  const { type: kind, loadBalancerClass, externalTrafficPolicy } = spec ?? {};
  return {
    ...type,
    metadata: trimMetadata(metadata, annotationPrefixes),
    spec: {
      ...(kind === undefined ? {} : { type: kind }),
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
      ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
    },
    ...(status?.loadBalancer === undefined ? {} : { status: { loadBalancer: status.loadBalancer } }),
  };
}

/** Without their times: heartbeats are no change. */
const nodeConditions = new Set(['NetworkUnavailable', 'Ready']);

export function trimNode({ metadata, spec, status }: Node): Node {
  const conditions = (status?.conditions ?? []).flatMap(({ type, status: is }) =>
    nodeConditions.has(type) ? [{ type, status: is }] : [],
  );
  const addresses = status?.addresses?.filter(({ type }) => type === 'InternalIP') ?? [];
  const taints = (spec?.taints ?? []).filter(({ key }) => isElectionTaint(key));
  return {
    metadata: trimMetadata(metadata, Object.values(nodeAnnotations)),
    ...(taints.length === 0 ? {} : { spec: { taints: taints.map(({ key, effect }) => ({ key, effect })) } }),
    status: { conditions, ...(addresses.length === 0 ? {} : { addresses }) },
  };
}

export function trimSlice({ metadata, addressType, endpoints }: EndpointSlice): EndpointSlice {
  const addresses: readonly string[] = [];
  const kept = endpoints?.map(({ nodeName, conditions }) => ({
    addresses,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(conditions === undefined ? {} : { conditions }),
  }));
  return { metadata: trimMetadata(metadata), addressType, endpoints: kept ?? null };
}

export function trimPod({ metadata, spec, status }: Pod): Pod {
  const { phase, podIP } = status ?? {};
  return {
    metadata: trimMetadata(metadata),
    ...(spec?.nodeName === undefined ? {} : { spec: { nodeName: spec.nodeName } }),
    status: { ...(phase === undefined ? {} : { phase }), ...(podIP === undefined ? {} : { podIP }) },
  };
}
