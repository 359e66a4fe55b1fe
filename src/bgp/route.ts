import type { Prefix } from '../ip/prefix.ts';

/** What a peer is to be told of a prefix. The next hop and the path are the session's: they differ by peer. */
export type Route = { readonly prefix: Prefix; readonly attributes: RouteAttributes };

/** Routes with the same object have the same attributes, and go together into messages. */
export type RouteAttributes = {
  /** Told to internal peers only; undefined: 100. */
  readonly localPref: number | undefined;
  /** The MULTI_EXIT_DISC; undefined: none is sent. */
  readonly med: number | undefined;
  /** RFC 1997, each of 32 bits; ascending, each once. */
  readonly communities: readonly number[];
  /** RFC 8092; ascending, each once. */
  readonly largeCommunities: readonly (readonly [number, number, number])[];
  /** How many times more than once our AS is in the path told to external peers. */
  readonly prepend: number;
};
