import {
  labelValue,
  type ServiceL2StatusContent,
  serviceL2StatusLabels,
  serviceL2StatusName,
} from '../api/service-l2-status.ts';
import { serviceOfStatus, serviceStatusLabels } from '../api/service-status.ts';
import type { NodeInterface } from '../election/interface-fitness.ts';
import type { Hash } from '../election/metallb.ts';
import { type ServiceL2StatusObject, serviceL2Statuses } from '../kubernetes/config-kinds.ts';
import { type ObjectKey, splitKey } from '../kubernetes/resource.ts';
import { type Layer2Facts, layer2StatusOf, layer2StatusText } from './layer2-status-content.ts';
import { NodeStatuses, type NodeStatusesOptions } from './node-statuses.ts';

/** How old what is known of the node's interfaces may be; milliseconds. */
const interfaceAge = 1_000;

export type Layer2StatusOptions = Layer2Facts & { readonly hash: Hash } & Pick<
    NodeStatusesOptions<ServiceL2StatusObject, ServiceL2StatusContent>,
    'client' | 'namespace' | 'podName' | 'signal' | 'clock' | 'random' | 'log'
  >;

/**
 * Keeps one ServiceL2Status for each Service that this node announces, and none for any other. A speaker of MetalLB that
 * is elected deletes those of other nodes. That is no fight as long as both find the same node elected; while they do
 * not, ours is made anew less and less often. For those of nodes that are gone see ./departed-statuses.ts.
 */
export class Layer2Status {
  readonly #options: Layer2StatusOptions;
  readonly #statuses: NodeStatuses<ServiceL2StatusObject, ServiceL2StatusContent>;
  /** What is known of the node's interfaces. */
  #lately: { readonly at: number; readonly interfaces: readonly NodeInterface[] | undefined } | undefined;

  constructor(options: Layer2StatusOptions) {
    const { node, hash, announcementOf } = options;
    this.#options = options;
    this.#statuses = new NodeStatuses<ServiceL2StatusObject, ServiceL2StatusContent>({
      ...options,
      resource: serviceL2Statuses,
      labelSelector: `${serviceStatusLabels.node}=${labelValue(node, hash)}`,
      subjectOf: serviceOfStatus,
      nameOf: (service) => serviceL2StatusName(node, placeOf(service), hash),
      labelsOf: (service) => serviceL2StatusLabels(node, placeOf(service), hash),
      isWanted: (service) => announcementOf(service) !== undefined,
      wanted: (service) => layer2StatusOf(placeOf(service), { ...options, interfaces: () => this.#interfaces() }),
      textOf: layer2StatusText,
    });
  }

  /** To be called when it is decided what this node announces: what is left of an earlier run may be deleted. */
  start(): void {
    this.#statuses.start();
  }

  /** To be called when something that is told of the Service may have changed. Returns at once. */
  look(service: ObjectKey): void {
    this.#statuses.look(service);
  }

  /** The objects stay and say what they said: they go with the Pod. Idempotent. */
  stop(): Promise<void> {
    return this.#statuses.stop();
  }

  /** To ask for them costs more than all the rest, and there may be thousands of statuses. */
  #interfaces(): readonly NodeInterface[] | undefined {
    const now = this.#options.clock.now();
    if (this.#lately === undefined || now - this.#lately.at >= interfaceAge) {
      this.#lately = { at: now, interfaces: this.#options.interfaces?.() };
    }
    return this.#lately.interfaces;
  }
}

function placeOf(service: ObjectKey): { readonly namespace: string; readonly name: string } {
  const { namespace = '', name } = splitKey(service);
  return { namespace, name };
}
