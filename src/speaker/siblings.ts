import type { Pod } from '../kubernetes/core.ts';
import type { Liveness } from '../liveness/liveness.ts';
import { decodeMemberMeta } from './member-meta.ts';

/** MAC addresses remembered; those of the members that were seen longest ago are forgotten first. */
const maxRemembered = 4_096;

/** Another node with a speaker. One that is not alive has left the ring or was lost from it. */
export type Sibling = { readonly node: string; readonly alive: boolean };

/** A node and its own address. */
export type Host = { readonly name: string; readonly address: string };

export type SiblingsOptions = {
  /** Those in the ring; none without a ring. */
  readonly members: () => ReturnType<Liveness['members']>;
  /** Where the speakers are by their Pods, those that are not in the ring included. */
  readonly hosts: () => readonly Host[];
  readonly isAlive: (node: string) => boolean;
  /** The addresses that the kernel has talked to at a MAC address. */
  readonly addressesOf: (mac: string) => readonly string[];
};

/** Tells the other speakers from strangers by their MAC addresses. */
export class Siblings {
  readonly #options: SiblingsOptions;
  /** MAC address → node, the one seen last at the end. */
  readonly #nodes = new Map<string, string>();

  constructor(options: SiblingsOptions) {
    this.#options = options;
  }

  /** Remembers what the members say of themselves, for when they are no longer there. For every change among them. */
  look(): void {
    for (const { name, meta } of this.#options.members()) {
      for (const mac of decodeMemberMeta(meta)) {
        this.#nodes.delete(mac);
        this.#nodes.set(mac, name);
      }
    }
    for (const mac of this.#nodes.keys()) {
      if (this.#nodes.size <= maxRemembered) break;
      this.#nodes.delete(mac);
    }
  }

  find(mac: string): Sibling | undefined {
    this.look();
    const node = this.#nodes.get(mac) ?? this.#hostAt(this.#options.addressesOf(mac));
    return node === undefined ? undefined : { node, alive: this.#options.isAlive(node) };
  }

  isAlive(node: string): boolean {
    return this.#options.isAlive(node);
  }

  /** The node with a speaker that has this address for itself. */
  hostAt(address: string): string | undefined {
    return this.#hostAt([address]);
  }

  /** MetalLB's speakers tell no MAC addresses, and one that was told may have changed since. */
  #hostAt(addresses: readonly string[]): string | undefined {
    if (addresses.length === 0) return undefined;
    const hosts = [...this.#options.members(), ...this.#options.hosts()];
    return hosts.find(({ address }) => addresses.includes(address))?.name;
  }
}

/** Where the Pods are. Of one that has ended, the address is another's by now. */
export function hostsOf(pods: readonly Pod[]): readonly Host[] {
  return pods.flatMap(({ spec, status }) => {
    const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    if (ended || spec?.nodeName === undefined || status?.podIP === undefined) return [];
    return [{ name: spec.nodeName, address: status.podIP }];
  });
}
