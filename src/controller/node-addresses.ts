import { type Address, parseAddress } from '../ip/address.ts';
import type { Node } from '../kubernetes/core.ts';
import { Reflector, type ReflectorOptions } from '../kubernetes/reflector.ts';
import { nodes } from '../kubernetes/resource.ts';
import { Store } from '../kubernetes/store.ts';
import { trimMetadata } from '../kubernetes/trim-metadata.ts';

export type NodeAddressesOptions = Omit<ReflectorOptions<Node>, 'resource' | 'store' | 'trim' | 'namespace'> & {
  /** Called when the addresses are others than before. */
  readonly onChange: () => void;
};

/** The addresses that the cluster's Nodes have, as their status says. */
export class NodeAddresses {
  readonly #nodes: Store<Node>;
  readonly #reflector: Reflector<Node>;

  constructor(options: NodeAddressesOptions) {
    this.#nodes = new Store({ log: options.log });
    this.#reflector = new Reflector({
      ...options,
      namespace: undefined,
      resource: nodes,
      store: this.#nodes,
      trim: trimNode,
    });
    // Nodes report every few seconds, and hardly ever anything new.
    this.#nodes.onChange((_key, now, before) => {
      if (textsOf(now).join(' ') !== textsOf(before).join(' ')) options.onChange();
    });
  }

  /** Resolves when all Nodes have been read. Rejects when stopped before. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  start(): void {
    this.#reflector.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  current(): readonly Address[] {
    return this.#nodes.list().flatMap((node) => textsOf(node).flatMap((text) => parseAddress(text) ?? []));
  }
}

function trimNode({ metadata, status }: Node): Node {
  return { metadata: trimMetadata({ ...metadata, labels: {} }), status: { addresses: status?.addresses ?? [] } };
}

function textsOf(node: Node | undefined): readonly string[] {
  const own = (node?.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP');
  return own.map(({ address }) => address.trim());
}
