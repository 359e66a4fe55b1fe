import type { Hash } from '../election/metallb.ts';
import type { Address } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Announcer, AnnouncerChange } from '../layer2/announcer.ts';
import { messageKind } from '../liveness/message-kinds.ts';
import type { Bulletins } from './bulletins.ts';
import { Conflicts, type ConflictsOptions } from './conflicts.ts';
import { DepartedStatuses, type DepartedStatusesOptions } from './departed-statuses.ts';
import { Layer2Status, type Layer2StatusOptions } from './layer2-status.ts';
import { noOwnershipMetrics, type OwnershipMetrics } from './ownership-metrics.ts';
import type { Siblings } from './siblings.ts';
import { Takeovers } from './takeovers.ts';
import { Verifier } from './verification.ts';
import { VerifiedClaims } from './verified-claims.ts';

export type OwnershipOptions = Omit<
  Layer2StatusOptions,
  'node' | 'podName' | 'announcementOf' | 'holding' | 'conflict' | 'services'
> &
  Pick<DepartedStatusesOptions, 'departed'> &
  Pick<ConflictsOptions, 'policy' | 'onHandover'> & {
    readonly nodeName: string;
    readonly podName?: string;
    readonly ownershipMetrics?: OwnershipMetrics;
    readonly services: Store<Service>;
    readonly announcer: Announcer;
    readonly siblings: Siblings;
    /** Undefined without a ring. */
    readonly bulletins: Bulletins | undefined;
    /** The nodes with a living speaker. */
    readonly alive: () => Iterable<string>;
    /** Asks the LAN who has the addresses; `answered` is told. */
    readonly ask: (addresses: readonly Address[]) => void;
    readonly events: Pick<EventRecorder, 'record'>;
    readonly hash: Hash;
  };

/** What is known and told of who has which address: takeovers, conflicts, whether the LAN agrees, ServiceL2Status. */
export class Ownership {
  readonly takeovers: Takeovers;
  readonly conflicts: Conflicts;
  readonly #verifier: Verifier | undefined;
  readonly #layer2Status: Layer2Status;
  readonly #departedStatuses: DepartedStatuses;

  constructor(options: OwnershipOptions) {
    const { nodeName: node, announcer, siblings, bulletins, log, clock, ownershipMetrics, podName = '' } = options;
    const claimsOf = (text: string) => bulletins?.claimsOf(text) ?? [];
    const onChange = (services: Iterable<string>) => this.#tellStatus(services);
    const shared = { ...options, node, podName, claimsOf, onChange, metrics: ownershipMetrics ?? noOwnershipMetrics };
    this.takeovers = new Takeovers(shared);
    this.conflicts = new Conflicts(shared);
    this.#verifier = bulletins && verifierOf(bulletins, options);
    const nodeOf = (mac: string) => siblings.find(mac)?.node;
    const verified = new VerifiedClaims({ ...shared, nodeOf, takeovers: this.takeovers });
    bulletins?.onMessage(messageKind.verified, (payload, from) => {
      this.#verifier?.told(payload);
      verified.told(from, payload);
    });
    this.#layer2Status = new Layer2Status({
      ...shared,
      announcementOf: (service) => announcer.announcementOf(service),
      holding: (address) => this.takeovers.holding(address),
      conflict: (address) => this.conflicts.record.of(address),
    });
    const isAnnounced = (service: string) => announcer.announcementOf(service) !== undefined;
    this.#departedStatuses = new DepartedStatuses({ ...options, isAnnounced, log, clock });
  }

  /** What comes from now on was not found at the start. */
  start(): void {
    this.takeovers.settle();
    this.#layer2Status.start();
    this.#departedStatuses.start();
  }

  /** The announcer has handed a table over. */
  changed(change: AnnouncerChange): void {
    this.takeovers.changed(change);
    this.#tellStatus(change.services);
  }

  /** What the speakers claim has changed. */
  look(): void {
    this.conflicts.look();
    this.#verifier?.look();
  }

  /** A host on the LAN has said that it has the address. */
  answered(address: Address, mac: string): void {
    this.#verifier?.answered(address, mac);
  }

  /** Nothing is asked, told or contradicted any more. Idempotent. */
  close(): void {
    this.#verifier?.close();
    this.conflicts.close();
  }

  /** The statuses stay: they go with the Pod. Idempotent. */
  async stop(): Promise<void> {
    this.close();
    await Promise.all([this.#layer2Status.stop(), this.#departedStatuses.stop()]);
  }

  #tellStatus(services: Iterable<string>): void {
    for (const service of services) this.#layer2Status.look(service);
  }
}

function verifierOf(bulletins: Bulletins, { nodeName, alive, ask, hash, clock, log }: OwnershipOptions): Verifier {
  const board = {
    reportOf: (name: string) => bulletins.reportOf(name),
    claimsOf: (text: string) => bulletins.claimsOf(text),
    tell: (name: string, bytes: Uint8Array) => bulletins.tell(name, messageKind.verified, bytes),
  };
  return new Verifier({ node: nodeName, board, speakers: alive, ask, hash, clock, log });
}
