import { type BGPSessionStatusContent, bgpSessionStatusLabels } from '../../api/bgp-session-status.ts';
import { hexOf, labelValue } from '../../api/service-l2-status.ts';
import { type ServiceBGPStatus, serviceOfStatus, serviceStatusLabels } from '../../api/service-status.ts';
import type { Hash } from '../../election/metallb.ts';
import {
  type BGPSessionStatusObject,
  bgpSessionStatuses,
  type ServiceBGPStatusObject,
  serviceBGPStatuses,
} from '../../kubernetes/config-kinds.ts';
import { type ObjectKey, splitKey } from '../../kubernetes/resource.ts';
import { NodeStatuses, type NodeStatusesOptions } from '../node-statuses.ts';
import { type PeerFacts, sessionStatusOf, sessionStatusText } from './session-status-content.ts';

export type StatusesOptions = { readonly node: string; readonly hash: Hash } & Pick<
  NodeStatusesOptions<ServiceBGPStatusObject, object>,
  'client' | 'namespace' | 'podName' | 'signal' | 'clock' | 'random' | 'log'
>;

type ServiceContent = NonNullable<ServiceBGPStatus['status']>;

/**
 * Keeps one ServiceBGPStatus for each Service that this node announces to a peer. `peersOf` gives the BGPPeers by name,
 * sorted; undefined or none: not announced.
 */
export function serviceBGPStatusesOf(
  options: StatusesOptions & { readonly peersOf: (service: ObjectKey) => readonly string[] | undefined },
): NodeStatuses<ServiceBGPStatusObject, ServiceContent> {
  const { node, hash, peersOf } = options;
  const value = (text: string) => labelValue(text, hash);
  const isWanted = (service: ObjectKey) => (peersOf(service) ?? []).length > 0;
  return new NodeStatuses<ServiceBGPStatusObject, ServiceContent>({
    ...options,
    resource: serviceBGPStatuses,
    labelSelector: `${serviceStatusLabels.node}=${value(node)}`,
    subjectOf: serviceOfStatus,
    nameOf: (service) => `bgp-${splitKey(service).name.slice(0, maxName)}-${hexOf(hash(`${service}@${node}`))}`,
    labelsOf: (service) => {
      const { namespace = '', name } = splitKey(service);
      return {
        [serviceStatusLabels.node]: value(node),
        [serviceStatusLabels.serviceName]: value(name),
        [serviceStatusLabels.serviceNamespace]: value(namespace),
      };
    },
    isWanted,
    wanted: (service) => {
      const { namespace = '', name } = splitKey(service);
      return { node, serviceName: name, serviceNamespace: namespace, peers: peersOf(service) ?? [] };
    },
    textOf: (status) => {
      const { node, serviceName, serviceNamespace, peers } = status ?? {};
      return JSON.stringify([node, serviceName, serviceNamespace, peers ?? null]);
    },
  });
}

/** Keeps one BGPSessionStatus for each BGPPeer that selects this node. */
export function bgpSessionStatusesOf(
  options: StatusesOptions & { readonly factsOf: (peer: string) => PeerFacts | undefined },
): NodeStatuses<BGPSessionStatusObject, BGPSessionStatusContent> {
  const { node, hash, factsOf } = options;
  const value = (text: string) => labelValue(text, hash);
  return new NodeStatuses<BGPSessionStatusObject, BGPSessionStatusContent>({
    ...options,
    resource: bgpSessionStatuses,
    labelSelector: `${bgpSessionStatusLabels.node}=${value(node)}`,
    subjectOf: (object) => object?.status?.peer ?? object?.metadata.labels?.[bgpSessionStatusLabels.peer],
    nameOf: (peer) => `${peer.slice(0, maxName)}-${hexOf(hash(`${peer}@${node}`))}`,
    labelsOf: (peer) => ({
      [bgpSessionStatusLabels.node]: value(node),
      [bgpSessionStatusLabels.peer]: value(peer),
    }),
    isWanted: (peer) => factsOf(peer) !== undefined,
    wanted: (peer) => {
      const facts = factsOf(peer);
      return facts && sessionStatusOf(node, facts);
    },
    textOf: sessionStatusText,
  });
}

/** Of the part of an object's name that is for people. */
const maxName = 63;
