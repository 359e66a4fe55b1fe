import type { Pool } from '../config/config.ts';
import type { Address, Family } from '../ip/address.ts';

/** `namespace/name` of a Service. */
export type ServiceKey = string;

/** What a Service asks for, and what decides which pools may serve it. */
export type Wish = {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly labels: Labels;
  /** Of its cluster addresses, the primary one first. Two families with policy SingleStack count as required. */
  readonly families: readonly Family[];
  readonly familyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  /** Exactly these, in this order, however many; empty for any. */
  readonly addresses: readonly Address[];
  /** These as far as they can be had, in this order, and others for the rest of `count`; empty where `addresses` is not. */
  readonly wanted: readonly Address[];
  /** How many addresses of each family, 1 or more, and not fewer than are wanted of one. Not for `addresses`. */
  readonly count: number;
  /** The one pool that may serve it; undefined for any. */
  readonly pool: string | undefined;
  /** Pools that may serve it together, in this order, each address from the first that has room; empty for any. */
  readonly pools: readonly string[];
  /** Of a class that is gone: it asks for nothing but to keep what it has, also where that is another class' by now. */
  readonly isOfGoneClass?: true;
  /** Services with the same key and the same backend may share an address. Empty or undefined shares with nobody. */
  readonly sharingKey: string | undefined;
  readonly backend: string;
  readonly ports: readonly Port[];
};

export type Port = { readonly protocol: string; readonly port: number };

type Labels = Readonly<Record<string, string>>;

/** Why a Service does not get, or may not keep, an address. */
export type Refusal = { readonly refused: RefusalReason; readonly detail: string };

export type RefusalReason =
  /** The pool asked for does not exist. */
  | 'no-such-pool'
  /** The pool is reserved for other namespaces or Services. */
  | 'pool-not-for-service'
  /** The pool gives out nothing new. */
  | 'pool-draining'
  /** No pool gives addresses to this Service without being asked for by name. */
  | 'no-pool'
  /** The address is in no pool, or the addresses are not in one pool. */
  | 'not-in-pool'
  /** The address is in another pool than the one asked for. */
  | 'other-pool'
  /** The address ends in .0 or .255, and the pool keeps those back. */
  | 'address-avoided'
  /** The pool excludes the address. */
  | 'address-excluded'
  /** The address is reserved for another Service. */
  | 'address-reserved'
  /** Another Service had the address until a short time ago. */
  | 'cooling-down'
  /** A node has the address. */
  | 'node-address'
  /** The addresses are not the ones asked for. */
  | 'not-requested'
  /** The addresses do not fit the families of the Service. */
  | 'family-mismatch'
  /** Another Service has the address and does not share it with this one. */
  | 'in-use'
  /** A Service that shares the address has the same port. */
  | 'port-conflict'
  /** The pools have no address left that this Service may have. */
  | 'exhausted'
  /** The Service has addresses, but not all that it asks for. */
  | 'incomplete';

export function refusal(refused: RefusalReason, detail: string): Refusal {
  return { refused, detail };
}

/** Whether the pool's restrictions let the Service in, also when it asks for the pool or an address by name. */
export function admits(pool: Pool, wish: Wish): boolean {
  // Only the binding to the class makes it the one pool that may serve: see the controller.
  if (pool.ofClass && wish.pool !== pool.name && !wish.isOfGoneClass) return false;
  const allocation = pool.serviceAllocation;
  if (!allocation) return true;
  const { namespaces, namespaceSelectors, serviceSelectors } = allocation;
  const anyNamespace = namespaces.length + namespaceSelectors.length === 0;
  const namespaceFits =
    anyNamespace ||
    namespaces.includes(wish.namespace) ||
    namespaceSelectors.some((selector) => selector.matches(wish.namespaceLabels));
  const anyService = serviceSelectors.length === 0;
  return namespaceFits && (anyService || serviceSelectors.some((selector) => selector.matches(wish.labels)));
}
