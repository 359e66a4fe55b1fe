import { type BGPPeerV1beta1, peerFromV1beta1, peerToV1beta1 } from '../api/bgp-peer-conversion.ts';
import type { Resources } from '../config/compile.ts';
import type { Reviewer } from '../kubernetes/admission-review.ts';
import type { BGPPeerObject } from '../kubernetes/config-kinds.ts';
import type { Converter } from '../kubernetes/conversion-review.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';
import { configurationReviewer, type KnownConfiguration } from './configuration-review.ts';
import { type ServiceReviewOptions, serviceReviewer } from './service-review.ts';

/** MetalLB's paths, and ours for what it does not review. deploy/manifests names them. */
const configurationPaths = {
  '/validate-metallb-io-v1beta1-ipaddresspool': 'pools',
  '/validate-metallb-io-v1beta1-l2advertisement': 'l2Advertisements',
  '/validate-metallb-io-v1beta1-bgpadvertisement': 'bgpAdvertisements',
  '/validate-metallb-io-v1beta2-bgppeer': 'peers',
  '/validate-metallb-io-v1beta1-bfdprofile': 'bfdProfiles',
  '/validate-metallb-io-v1beta1-community': 'communities',
  '/validate-garpoon-io-v1alpha1-addressreservation': 'reservations',
  '/validate-garpoon-io-v1alpha1-layer2policy': 'layer2Policies',
} as const satisfies Readonly<Record<string, keyof Resources>>;

export const servicePath = '/validate-v1-service';
export const conversionPath = '/convert';

export type AdmissionOptions = ServiceReviewOptions & {
  /** Where the configuration is. */
  readonly namespace: string;
  readonly known: KnownConfiguration;
};

export function reviewersOf(options: AdmissionOptions): Readonly<Record<string, Reviewer>> {
  const ofConfiguration = Object.entries(configurationPaths).map(([path, kind]) => [
    path,
    configurationReviewer(kind, options),
  ]);
  return { ...Object.fromEntries(ofConfiguration), [servicePath]: serviceReviewer(options) };
}

export const converters: Readonly<Record<string, Converter>> = { [conversionPath]: convertPeer };

function convertPeer(object: KubernetesObject, apiVersion: string): ReturnType<Converter> {
  const from = object.apiVersion;
  if (from === 'metallb.io/v1beta1' && apiVersion === 'metallb.io/v1beta2') {
    return { object: peerFromV1beta1(object as BGPPeerV1beta1 & KubernetesObject) as BGPPeerObject };
  }
  if (from === 'metallb.io/v1beta2' && apiVersion === 'metallb.io/v1beta1') {
    return { object: peerToV1beta1(object as BGPPeerObject) as BGPPeerV1beta1 & KubernetesObject };
  }
  return { problem: `there is no conversion from ${from} to ${apiVersion}: give a BGPPeer of metallb.io` };
}
