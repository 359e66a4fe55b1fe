import type { ResourceMeta } from './resource.ts';
import { serviceStatusLabels } from './service-status.ts';

/**
 * `servicel2statuses.metallb.io/v1beta1`: what a node answers for on the LAN, for one Service. Written by that node's
 * speaker. There is one for each Service and node, because the addresses of a Service may be on several nodes.
 */
export type ServiceL2Status = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta & { readonly generateName?: string };
  readonly spec?: Readonly<Record<string, never>>;
  readonly status?: ServiceL2StatusContent;
};

export type ServiceL2StatusContent = {
  readonly node?: string;
  readonly serviceName?: string;
  readonly serviceNamespace?: string;
  /** By name; absent: all. */
  readonly interfaces?: readonly { readonly name?: string }[];
  /** Not in MetalLB's definition, which leaves it out. By address. Times are RFC 3339 with milliseconds. */
  readonly addresses?: readonly AnsweredAddress[];
};

export type AnsweredAddress = {
  readonly address: string;
  /** By which the node answers; absent when that depends on the interface. */
  readonly mac?: string;
  readonly since: string;
  /** The node that had it before. */
  readonly previousOwner?: string;
  /** Another speaker asked the LAN who has the address, and this node answered. */
  readonly verified?: { readonly at: string; readonly by: string; readonly mac: string };
  /** Another host says that it has the address. */
  readonly conflict?: {
    readonly since: string;
    readonly mac: string;
    readonly interface: string;
    /** The node whose speaker it is; absent: a stranger. */
    readonly node?: string;
  };
};

/** The longest that the value of a label may be. */
const maxLabel = 63;
/** Of a SHA-256, in hexadecimal digits: enough to tell the Services of a cluster apart. */
const digits = 16;

/** Labels by which MetalLB's tools find the object, and we those of our node. */
export function serviceL2StatusLabels(
  node: string,
  service: { readonly namespace: string; readonly name: string },
  hash: (text: string) => Uint8Array,
): Readonly<Record<string, string>> {
  return {
    [serviceStatusLabels.node]: labelValue(node, hash),
    [serviceStatusLabels.serviceName]: labelValue(service.name, hash),
    [serviceStatusLabels.serviceNamespace]: labelValue(service.namespace, hash),
  };
}

/** The name of a Node may be longer than the value of a label: then the end is a hash of the whole. */
export function labelValue(text: string, hash: (text: string) => Uint8Array): string {
  return text.length <= maxLabel ? text : `${text.slice(0, maxLabel - 1 - digits)}-${hexOf(hash(text))}`;
}

/**
 * The same for the same Service and node, where MetalLB lets the API server make one up: so two are never made by
 * accident, neither when the answer to the first is lost nor by a speaker that restarts.
 */
export function serviceL2StatusName(
  node: string,
  service: { readonly namespace: string; readonly name: string },
  hash: (text: string) => Uint8Array,
): string {
  return `l2-${service.name.slice(0, maxLabel)}-${hexOf(hash(`${service.namespace}/${service.name}@${node}`))}`;
}

/** The beginning of a hash, as part of a name. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, digits / 2), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
