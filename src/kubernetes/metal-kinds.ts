import type { MetalLoadBalancerClass } from '../api/metal-class.ts';
import type { MetalLoadBalancerConfiguration } from '../api/metal-configuration.ts';
import type { MetalLoadBalancerBGPPeer } from '../api/metal-peer.ts';
import type { MetalLoadBalancerPool } from '../api/metal-pool.ts';
import type { KubernetesObject } from './core.ts';
import { resource } from './resource.ts';

/** Deckhouse's kinds, which are watched on request only (--deckhouse). */

const deckhouse = { group: 'network.deckhouse.io', version: 'v1alpha1', namespaced: false } as const;

export const metalClasses = resource<MetalLoadBalancerClass & KubernetesObject>({
  ...deckhouse,
  plural: 'metalloadbalancerclasses',
  kind: 'MetalLoadBalancerClass',
});

export const metalPools = resource<MetalLoadBalancerPool & KubernetesObject>({
  ...deckhouse,
  plural: 'metalloadbalancerpools',
  kind: 'MetalLoadBalancerPool',
});

export const metalPeers = resource<MetalLoadBalancerBGPPeer & KubernetesObject>({
  ...deckhouse,
  plural: 'metalloadbalancerbgppeers',
  kind: 'MetalLoadBalancerBGPPeer',
});

export const metalConfigurations = resource<MetalLoadBalancerConfiguration & KubernetesObject>({
  ...deckhouse,
  plural: 'metalloadbalancerconfigurations',
  kind: 'MetalLoadBalancerConfiguration',
});
