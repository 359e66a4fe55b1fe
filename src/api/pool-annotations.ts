import { parseAddress } from '../ip/address.ts';
import { parseRange, type Range } from '../ip/range.ts';
import { RangeSet } from '../ip/range-set.ts';
import { readDuration } from './duration.ts';
import type { Field } from './field.ts';

/** The annotations of an IPAddressPool that we read: what there is beyond its spec, off unless asked for. */
const poolAnnotations = {
  excludeAddresses: 'garpoon.io/exclude-addresses',
  excludeNodeAddresses: 'garpoon.io/exclude-node-addresses',
  coolDown: 'garpoon.io/cool-down',
  drain: 'garpoon.io/drain',
  sharingScope: 'garpoon.io/sharing-scope',
} as const;

export type PoolOptions = {
  /** Never handed out; may lie outside the pool. IPv4 first, ascending; ranges neither overlap nor touch. */
  readonly excluded: readonly Range[];
  /** Whether the addresses of the cluster's Nodes are excluded, too. */
  readonly excludeNodeAddresses: boolean;
  /** For how long a released address is given to no other Service; milliseconds, 0: not at all. */
  readonly coolDown: number;
  /** Whether nothing is handed out any more; who has an address keeps it. */
  readonly draining: boolean;
  /** Who may share an address by the same key. */
  readonly sharingScope: 'cluster' | 'namespace';
};

const maxCoolDown = 720 * 3_600_000;
/** What fits a hundred times into the size that all annotations of an object may have. */
const maxExcluded = 10_000;

/** Reads `metadata.annotations`. A bad value is refused like a bad field. */
export function readPoolOptions(annotations: Field): PoolOptions {
  const at = (key: keyof typeof poolAnnotations) => annotations.entry(poolAnnotations[key]);
  return {
    excluded: readExcluded(at('excludeAddresses')),
    excludeNodeAddresses: readFlag(at('excludeNodeAddresses')),
    coolDown: readCoolDown(at('coolDown')),
    draining: readFlag(at('drain')),
    sharingScope: at('sharingScope').oneOf(['cluster', 'namespace']) ?? 'cluster',
  };
}

function readExcluded(field: Field): readonly Range[] {
  const text = field.text() ?? '';
  const entries = text.trim() === '' ? [] : text.split(',').map((entry) => entry.trim());
  if (entries.length > maxExcluded) field.refuseAs(entries.length, `must have at most ${maxExcluded} ranges`);
  const excluded = new RangeSet();
  for (const entry of entries) {
    const range = readExclusion(entry);
    if (typeof range !== 'string') excluded.add(range);
    else
      field.refuseAs(
        entry,
        'is no address, CIDR or range: write them like 192.0.2.5, 192.0.2.10-192.0.2.20, 192.0.2.64/28',
      );
  }
  return excluded.ranges();
}

/** As in `spec.addresses`, or a single address. */
function readExclusion(text: string): ReturnType<typeof parseRange> {
  const address = parseAddress(text);
  return address ? { family: address.family, first: address.value, last: address.value } : parseRange(text);
}

function readFlag(field: Field): boolean {
  return field.oneOf(['true', 'false']) === 'true';
}

function readCoolDown(field: Field): number {
  const time = readDuration(field) ?? 0;
  if (time > maxCoolDown) field.refuse('must be at most 720h');
  return time;
}
