import { type Address, formatAddress } from '../ip/address.ts';
import type { EndpointSlice, Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Announcer } from '../layer2/announcer.ts';
import type { Logger } from '../runtime/logger.ts';
import { statusAddresses } from './announceable.ts';
import { type Decision, decide, type View } from './decision.ts';
import type { Handover } from './handover.ts';
import { NewAddresses } from './new-addresses.ts';
import type { Takeovers } from './takeovers.ts';

/** The index of EndpointSlices by the Service they belong to, and its function. */
export const sliceIndex = {
  service: (slice: EndpointSlice): readonly string[] => {
    const { namespace, labels } = slice.metadata;
    const name = labels?.['kubernetes.io/service-name'];
    return name === undefined ? [] : [`${namespace}/${name}`];
  },
};

export type SliceStore = Store<EndpointSlice, keyof typeof sliceIndex>;

export type ServiceReconcilerOptions = {
  readonly services: Store<Service>;
  readonly slices: SliceStore;
  readonly view: () => View;
  readonly announcer: Pick<Announcer, 'unannounced'>;
  readonly handover: Pick<Handover, 'set'>;
  readonly takeovers?: Pick<Takeovers, 'elected' | 'unelected'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
};

/** A decision in short. `owners` are those who announce, as far as anybody does. */
type Told = {
  readonly announced: boolean;
  readonly text: string;
  /** Address → owner. */
  readonly ownerOf: ReadonlyMap<string, string>;
};

/** Makes what this node announces for a Service fit the decision. Says so once, when it changes. */
export class ServiceReconciler {
  readonly #options: ServiceReconcilerOptions;
  readonly #newAddresses = new NewAddresses();
  /** Service → what was last told of it. */
  readonly #told = new Map<ObjectKey, Told>();

  constructor(options: ServiceReconcilerOptions) {
    this.#options = options;
  }

  reconcile(key: ObjectKey): void {
    const { services, slices, view } = this.#options;
    const service = services.get(key);
    const world = view();
    this.#newAddresses.see(key, statusAddresses(service));
    const decision = decide(service, slices.by('service', key), world);
    this.#announce(key, decision);
    this.#tell(key, service, decision, world.node.name);
  }

  /** Every Service has been looked at once. */
  settle(): void {
    this.#newAddresses.settle();
  }

  /** The Services whose last owner is not among the living: the ones not to keep waiting. */
  orphans(living: ReadonlySet<string>): readonly ObjectKey[] {
    return [...this.#told].flatMap(([key, { ownerOf }]) =>
      [...ownerOf.values()].every((owner) => living.has(owner)) ? [] : [key],
    );
  }

  #announce(key: ObjectKey, decision: Decision): void {
    const { announcer, handover, takeovers } = this.#options;
    const successorOf = (address: Address) => ownerOf(decision, address);
    const isElected = (address: Address) => successorOf(address) !== undefined;
    this.#newAddresses.putBack(announcer.unannounced(key).filter((address) => !isElected(address)));
    const newlyAssigned = this.#newAddresses.elected(key, isElected);
    if ('announce' in decision) {
      const { announce: addresses, interfaces } = decision;
      const before = this.#told.get(key)?.ownerOf;
      takeovers?.elected(key, addresses, (address) => before?.get(address));
      handover.set(key, { addresses, interfaces, newlyAssigned }, successorOf);
    } else {
      takeovers?.unelected(key);
      handover.set(key, undefined, successorOf);
    }
  }

  #tell(key: ObjectKey, service: Service | undefined, decision: Decision, node: string): void {
    const before = this.#told.get(key);
    const now = toldOf(decision);
    if (service === undefined) this.#told.delete(key);
    else this.#told.set(key, now);
    // The slices of a deleted Service go after it, and bring us here again.
    if (before?.text === now.text || (service === undefined && before === undefined)) return;
    const { log, events } = this.#options;
    if (!('announce' in decision)) {
      const { withdraw: reason, owner } = decision;
      const fields =
        owner === undefined ? { service: key, reason } : { service: key, reason, owner: ownersText(decision) };
      // Of the many Services that are other nodes' business, only those that were ours until now are news.
      if (before?.announced) log.info('serviceWithdrawn', fields);
      else log.debug('serviceNotAnnounced', fields);
      return;
    }
    const { announce, pool, interfaces, elections } = decision;
    const ips = announce.map(formatAddress);
    const isPart = [...elections.keys()].some((ip) => !ips.includes(ip));
    const others = isPart ? { others: ownersText(decision) } : {};
    log.info('serviceAnnounced', { service: key, ips, interfaces, pool, protocol: 'layer2', ...others });
    if (service === undefined || before?.announced) return;
    // MetalLB's words, unless other nodes have some of the addresses.
    const what = isPart ? `announcing ${ips.join(', ')}` : 'announcing';
    const message = `${what} from node "${node}" with protocol "layer2"`;
    events.record(service, { type: 'Normal', reason: 'nodeAssigned', message });
  }
}

function toldOf(decision: Decision): Told {
  const elections = [...(decision.elections ?? [])];
  const ownerOf = new Map(elections.flatMap(([ip, { owner }]) => (owner === undefined ? [] : [[ip, owner] as const])));
  if ('withdraw' in decision) {
    return { announced: false, text: `${decision.withdraw} ${ownersText(decision)}`, ownerOf };
  }
  const text = `${decision.announce.map(formatAddress).join(' ')} @ ${decision.interfaces}`;
  return { announced: true, text, ownerOf };
}

function ownerOf({ elections }: Decision, address: Address): string | undefined {
  return elections?.get(formatAddress(address))?.owner;
}

/** The one that has all addresses, or of each address who has it. */
function ownersText({ elections = new Map() }: Decision): string {
  const owners = [...elections].map(([ip, { owner }]) => [ip, owner ?? 'nobody'] as const);
  const names = new Set(owners.map(([, owner]) => owner));
  return names.size <= 1 ? [...names].join() : owners.map(([ip, owner]) => `${ip} ${owner}`).join(', ');
}
