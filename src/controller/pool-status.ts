import type { Allocator } from '../allocator/allocator.ts';
import type { AddressUse } from '../allocator/pool-space.ts';
import { type AddressAssignment, type IPAddressPoolStatus, maxAssignments } from '../api/ip-address-pool.ts';
import { compareTexts } from '../api/label-selector.ts';
import { formatAddress } from '../ip/address.ts';
import { ipAddressPools, type PoolObject } from '../kubernetes/config-kinds.ts';
import { StatusWriter, type StatusWriterOptions } from '../kubernetes/status-writer.ts';
import { formatSeconds } from '../runtime/clock.ts';

/** Any number of Services may share an address, and an object must not grow with it. */
const maxServices = 2_000;

export type PoolStatusOptions = Omit<
  StatusWriterOptions<PoolObject, IPAddressPoolStatus>,
  'resource' | 'objects' | 'wanted' | 'textOf'
> & {
  readonly pools: StatusWriterOptions<PoolObject, IPAddressPoolStatus>['objects'];
  readonly allocator: Pick<Allocator, 'counters' | 'assignments'>;
};

/** Keeps the status of the pools equal to what the allocator counts. A pool that is not in force is left alone. */
export class PoolStatus {
  readonly #writer: StatusWriter<PoolObject, IPAddressPoolStatus>;

  constructor(options: PoolStatusOptions) {
    this.#writer = new StatusWriter<PoolObject, IPAddressPoolStatus>({
      ...options,
      resource: ipAddressPools,
      objects: options.pools,
      wanted: (pool) => statusOf(options.allocator, pool),
      textOf,
    });
  }

  /** To be called when the counts or the assignments of the pool may have changed. Returns at once. */
  look(pool: string): void {
    this.#writer.look(pool);
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#writer.stop();
  }
}

function statusOf(allocator: PoolStatusOptions['allocator'], pool: string): Required<IPAddressPoolStatus> | undefined {
  const counters = allocator.counters(pool);
  if (counters === undefined) return undefined;
  const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 } = counters;
  const assignments = bounded(allocator.assignments(pool, maxAssignments));
  const assignmentsOmitted = assignedIPv4 + assignedIPv6 - assignments.length;
  return { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6, assignments, assignmentsOmitted };
}

/** The first of them, as far as they fit. */
function bounded(uses: readonly AddressUse[]): readonly AddressAssignment[] {
  const assignments: AddressAssignment[] = [];
  let count = 0;
  for (const { address, services, since } of uses) {
    count += services.length;
    if (count > maxServices) break;
    const sorted = [...services].sort(compareTexts);
    assignments.push({ address: formatAddress(address), services: sorted, since: formatSeconds(since) });
  }
  return assignments;
}

function textOf(status: { readonly [Field in keyof IPAddressPoolStatus]?: IPAddressPoolStatus[Field] | null } = {}) {
  const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6, assignmentsOmitted } = status;
  const assignments = status.assignments?.map(({ address, services, since }) => [address, services, since]) ?? null;
  const numbers = [assignedIPv4, assignedIPv6, availableIPv4, availableIPv6, assignmentsOmitted];
  return JSON.stringify([...numbers.map((number) => number ?? null), assignments]);
}
