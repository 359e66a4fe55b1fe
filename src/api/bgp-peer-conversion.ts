import type { BGPPeer } from './bgp-peer.ts';
import type { ResourceMeta } from './resource.ts';

/** `bgppeers.metallb.io/v1beta1`, deprecated, as the API serves it. */
export type BGPPeerV1beta1 = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
  readonly spec: {
    readonly myASN: number;
    readonly peerASN: number;
    readonly peerAddress: string;
    readonly sourceAddress?: string;
    readonly peerPort?: number;
    readonly holdTime?: string;
    readonly keepaliveTime?: string;
    readonly routerID?: string;
    readonly nodeSelectors?: BGPPeer['spec']['nodeSelectors'];
    readonly password?: string;
    readonly bfdProfile?: string;
    readonly ebgpMultiHop?: boolean;
  };
};

type Metadata = ResourceMeta & { readonly annotations?: Readonly<Record<string, string>> };

/** An annotation of objects of v1beta1: the fields of v1beta2 that v1beta1 has no place for, as JSON. */
export const v1beta2Annotation = 'garpoon.io/bgppeer-v1beta2';

const shared: readonly string[] = [
  'myASN',
  'peerASN',
  'peerAddress',
  'sourceAddress',
  'peerPort',
  'holdTime',
  'keepaliveTime',
  'routerID',
  'nodeSelectors',
  'password',
  'bfdProfile',
  'ebgpMultiHop',
];

/** Required in v1beta1, and then without a meaning. */
const nothing: Readonly<Record<string, unknown>> = { peerASN: 0, peerAddress: '' };

/**
 * The object as v1beta2. What cannot be read is passed on as it is, for the schema of the version asked for to judge.
 * Never throws. Converting there and back gives the same object again.
 */
export function peerFromV1beta1(peer: BGPPeerV1beta1): BGPPeer {
  const { apiVersion: _, metadata, spec, ...rest } = peer;
  const { kept, others } = takeKept(metadata);
  const absent = (key: string, value: unknown) =>
    (Object.hasOwn(nothing, key) && nothing[key] === value) || (key === 'peerPort' && value === 0);
  const entries = Object.entries(spec ?? {}).filter(([key, value]) => !absent(key, value));
  return {
    ...rest,
    apiVersion: 'metallb.io/v1beta2',
    metadata: others,
    spec: isRecord(spec) ? { ...Object.fromEntries(entries), ...kept } : spec,
  } as unknown as BGPPeer;
}

/** The object as v1beta1. What only v1beta2 has goes into an annotation, so that an update as v1beta1 loses nothing. */
export function peerToV1beta1(peer: BGPPeer): BGPPeerV1beta1 {
  const { apiVersion: _, metadata, spec, ...rest } = peer;
  const entries = Object.entries(spec ?? {});
  const kept = Object.fromEntries(entries.filter(([key]) => !shared.includes(key)));
  const common = Object.fromEntries(entries.filter(([key]) => shared.includes(key)));
  return {
    ...rest,
    apiVersion: 'metallb.io/v1beta1',
    metadata: Object.keys(kept).length === 0 ? metadata : withAnnotation(metadata, JSON.stringify(kept)),
    spec: isRecord(spec) ? { ...nothing, ...common } : spec,
  } as unknown as BGPPeerV1beta1;
}

function takeKept(metadata: Metadata): { readonly kept: object; readonly others: Metadata } {
  const { [v1beta2Annotation]: text, ...annotations } = metadata?.annotations ?? {};
  const kept = text === undefined ? undefined : readKept(text);
  if (kept === undefined) return { kept: {}, others: metadata };
  const { annotations: _, ...rest } = metadata;
  return { kept, others: Object.keys(annotations).length === 0 ? rest : { ...rest, annotations } };
}

/** Only fields that v1beta1 does not have: those it has are said by the object itself. */
function readKept(text: unknown): object | undefined {
  try {
    const parsed: unknown = JSON.parse(String(text));
    if (!isRecord(parsed)) return undefined;
    return Object.fromEntries(Object.entries(parsed).filter(([key]) => !shared.includes(key)));
  } catch {
    return undefined;
  }
}

function withAnnotation(metadata: Metadata, value: string): Metadata {
  return { ...metadata, annotations: { ...metadata?.annotations, [v1beta2Annotation]: value } };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
