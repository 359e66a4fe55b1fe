import type { Field } from './field.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `bfdprofiles.metallb.io/v1beta1` as the API serves it. Intervals are in milliseconds. */
export type BFDProfile = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: {
    readonly receiveInterval?: number;
    readonly transmitInterval?: number;
    readonly detectMultiplier?: number;
    readonly echoInterval?: number;
    readonly echoMode?: boolean;
    readonly passiveMode?: boolean;
    readonly minimumTtl?: number;
  };
};

/** How fast the failure of a path to a BGP peer is noticed (RFC 5880). Intervals are in milliseconds. */
export type BFDProfileDeclaration = BFDIntervals & { readonly object: string; readonly name: string };

export type BFDIntervals = {
  readonly receiveInterval: number;
  readonly transmitInterval: number;
  /** A session is down when that many packets in a row are missing. */
  readonly detectMultiplier: number;
  readonly echoInterval: number;
  readonly echoMode: boolean;
  /** Waits for the peer to speak first. */
  readonly passiveMode: boolean;
  /** What a packet of a multi-hop session must still have; undefined: any. */
  readonly minimumTtl: number | undefined;
};

const interval = [10, 60_000] as const;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseBFDProfile(raw: unknown): Parsed<BFDProfileDeclaration> {
  return parseResource('BFDProfile', raw, (root, { object, name }) => {
    const spec = root.at('spec');
    return { object, name, ...readBFDIntervals(spec), minimumTtl: readMinimumTtl(spec.at('minimumTtl')) };
  });
}

/** All but the TTL, which is not called the same everywhere. */
export function readBFDIntervals(field: Field): Omit<BFDIntervals, 'minimumTtl'> {
  return {
    receiveInterval: field.at('receiveInterval').integerWithin(...interval) ?? 300,
    transmitInterval: field.at('transmitInterval').integerWithin(...interval) ?? 300,
    detectMultiplier: field.at('detectMultiplier').integerWithin(2, 255) ?? 3,
    echoInterval: field.at('echoInterval').integerWithin(...interval) ?? 50,
    echoMode: field.at('echoMode').flag() ?? false,
    passiveMode: field.at('passiveMode').flag() ?? false,
  };
}

export function readMinimumTtl(field: Field): number | undefined {
  return field.integerWithin(1, 254);
}
