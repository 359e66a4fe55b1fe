/** Why something a peer sent was not acted upon. The closed set of reasons under which it is counted. */
export const dropReasons = [
  /** Ends in the middle of a value. */
  'truncated',
  /** Breaks the format. */
  'malformed',
  /** Exceeds one of the named limits. */
  'too-big',
  'unknown-type',
  'checksum',
  'compression',
  /** A label is missing, unexpected or another one. */
  'label',
  /** No key opens it, or it is not encrypted although it has to be. */
  'undecryptable',
  /** Encrypted, and we have no key. */
  'encrypted',
  /** A ping for another name at our address. */
  'not-for-us',
  /** A known name at another address. */
  'address-conflict',
  /** Protocol versions that cannot be, or that do not fit ours. */
  'version',
  'table-full',
  'relay-limit',
  /** One packet asks for more answers than peers ever do. */
  'answer-limit',
  'stream-limit',
  'stream-timeout',
] as const;

export type DropReason = (typeof dropReasons)[number];

/** The result of reading something that cannot be used. */
export type Malformed = { readonly malformed: DropReason };

export function malformed(reason: DropReason): Malformed {
  return { malformed: reason };
}

export function isMalformed<T extends object>(result: T | Malformed): result is Malformed {
  return 'malformed' in result;
}
