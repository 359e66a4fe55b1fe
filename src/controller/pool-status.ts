import type { Allocator } from '../allocator/allocator.ts';
import type { PoolCounters } from '../allocator/pool-space.ts';
import type { IPAddressPoolStatus } from '../api/ip-address-pool.ts';
import { updateStatus } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { ipAddressPools, type PoolObject } from '../kubernetes/config-kinds.ts';
import { splitKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';

/** For how long changes of one pool are gathered into one write; milliseconds. Nobody reads counts faster. */
const gatherTime = 200;

export type PoolStatusOptions = {
  readonly client: ApiClient;
  /** Where the pools are. */
  readonly namespace: string;
  readonly pools: Pick<Store<PoolObject>, 'get' | 'onChange'>;
  readonly allocator: Pick<Allocator, 'counters'>;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** Keeps the status of the pools equal to what the allocator counts. A pool that is not in force is left alone. */
export class PoolStatus {
  readonly #options: PoolStatusOptions;
  readonly #queue: WorkQueue;

  constructor(options: PoolStatusOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ ...options, name: 'pool-status', reconcile: (pool) => this.#reconcile(pool) });
    options.pools.onChange((key) => this.look(splitKey(key).name));
  }

  /** To be called when the counts of the pool may have changed. Returns at once. */
  look(pool: string): void {
    this.#queue.addAfter(pool, gatherTime);
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #reconcile(name: string): Promise<void> {
    const { client, namespace, pools, allocator, signal } = this.#options;
    const key = `${namespace}/${name}`;
    const counted = statusOf(allocator.counters(name));
    const pool = pools.get(key);
    if (counted === undefined || pool === undefined || isSame(pool.status, counted)) return;
    await updateStatus(client, ipAddressPools, key, (current) => ({ ...current, status: { ...counted } }), { signal });
  }
}

function statusOf(counters: PoolCounters | undefined): IPAddressPoolStatus | undefined {
  if (counters === undefined) return undefined;
  const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 } = counters;
  return { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 };
}

function isSame(a: IPAddressPoolStatus | undefined, b: IPAddressPoolStatus): boolean {
  return (
    a?.assignedIPv4 === b.assignedIPv4 &&
    a.assignedIPv6 === b.assignedIPv6 &&
    a.availableIPv4 === b.availableIPv4 &&
    a.availableIPv6 === b.availableIPv6
  );
}
