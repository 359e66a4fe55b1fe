import type { AddressReservation } from '../api/address-reservation.ts';
import type { BFDProfile } from '../api/bfd-profile.ts';
import type { BGPAdvertisement } from '../api/bgp-advertisement.ts';
import type { BGPPeer } from '../api/bgp-peer.ts';
import type { BGPSessionStatus } from '../api/bgp-session-status.ts';
import type { Community } from '../api/community.ts';
import type { ConfigurationState } from '../api/configuration-state.ts';
import type { IPAddressPool } from '../api/ip-address-pool.ts';
import type { L2Advertisement } from '../api/l2-advertisement.ts';
import type { Layer2Policy } from '../api/layer2-policy.ts';
import type { ServiceL2Status } from '../api/service-l2-status.ts';
import type { ServiceBGPStatus } from '../api/service-status.ts';
import type { KubernetesObject } from './core.ts';
import { resource } from './resource.ts';

export type PoolObject = IPAddressPool & KubernetesObject;
export type L2AdvertisementObject = L2Advertisement & KubernetesObject;
export type BGPAdvertisementObject = BGPAdvertisement & KubernetesObject;
export type BGPPeerObject = BGPPeer & KubernetesObject;
export type BFDProfileObject = BFDProfile & KubernetesObject;
export type CommunityObject = Community & KubernetesObject;
export type AddressReservationObject = AddressReservation & KubernetesObject;
export type Layer2PolicyObject = Layer2Policy & KubernetesObject;
export type ServiceL2StatusObject = ServiceL2Status & KubernetesObject;
export type ServiceBGPStatusObject = ServiceBGPStatus & KubernetesObject;
export type BGPSessionStatusObject = BGPSessionStatus & KubernetesObject;
export type ConfigurationStateObject = ConfigurationState & KubernetesObject;

const metallb = { group: 'metallb.io', version: 'v1beta1', namespaced: true } as const;
const garpoon = { group: 'garpoon.io', version: 'v1alpha1', namespaced: true } as const;

export const ipAddressPools = resource<PoolObject>({ ...metallb, plural: 'ipaddresspools', kind: 'IPAddressPool' });

export const l2Advertisements = resource<L2AdvertisementObject>({
  ...metallb,
  plural: 'l2advertisements',
  kind: 'L2Advertisement',
});

export const bgpAdvertisements = resource<BGPAdvertisementObject>({
  ...metallb,
  plural: 'bgpadvertisements',
  kind: 'BGPAdvertisement',
});

export const bgpPeers = resource<BGPPeerObject>({
  ...metallb,
  version: 'v1beta2',
  plural: 'bgppeers',
  kind: 'BGPPeer',
});

export const bfdProfiles = resource<BFDProfileObject>({ ...metallb, plural: 'bfdprofiles', kind: 'BFDProfile' });

export const communities = resource<CommunityObject>({ ...metallb, plural: 'communities', kind: 'Community' });

export const addressReservations = resource<AddressReservationObject>({
  ...garpoon,
  plural: 'addressreservations',
  kind: 'AddressReservation',
});

export const layer2Policies = resource<Layer2PolicyObject>({
  ...garpoon,
  plural: 'layer2policies',
  kind: 'Layer2Policy',
});

export const serviceL2Statuses = resource<ServiceL2StatusObject>({
  ...metallb,
  plural: 'servicel2statuses',
  kind: 'ServiceL2Status',
});

export const serviceBGPStatuses = resource<ServiceBGPStatusObject>({
  ...metallb,
  plural: 'servicebgpstatuses',
  kind: 'ServiceBGPStatus',
});

export const bgpSessionStatuses = resource<BGPSessionStatusObject>({
  ...garpoon,
  plural: 'bgpsessionstatuses',
  kind: 'BGPSessionStatus',
});

export const configurationStates = resource<ConfigurationStateObject>({
  ...metallb,
  plural: 'configurationstates',
  kind: 'ConfigurationState',
});
