import { type Clock, microTimestamp } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { Uptime } from '../runtime/uptime.ts';
import { ApiError, isAlreadyExists, isConflict, isNotFound } from './api-error.ts';
import type { ApiClient } from './client.ts';
import type { Lease } from './core.ts';
import type { Fence } from './fence.ts';
import { Reflector } from './reflector.ts';
import { leases, type ObjectKey, splitKey } from './resource.ts';
import { Store } from './store.ts';
import { Term } from './term.ts';

/** Milliseconds. client-go's defaults, which every candidate for one Lease should share. */
export type ElectionTiming = {
  /** For how long a Lease that is not renewed is left alone. Written into it, in whole seconds. */
  readonly leaseDuration: number;
  /** When a leader that could not renew ends its term; what is left until `leaseDuration` is the margin. */
  readonly renewDeadline: number;
  /** Between two attempts to renew, and at least between two to acquire. */
  readonly retryPeriod: number;
};

export const defaultElectionTiming: ElectionTiming = {
  leaseDuration: 15_000,
  renewDeadline: 10_000,
  retryPeriod: 2_000,
};

/** How much longer than `retryPeriod` a candidate may wait, as a share of it, so that not all come at once. */
const retryJitter = 1.2;

export type LeaderElectionOptions = {
  readonly client: ApiClient;
  readonly lease: ObjectKey;
  /** No two candidates may share it, not even one process and the one that takes its place. */
  readonly identity: string;
  /** A term has begun; it has ended when its signal aborts. Another may follow. Must not throw. */
  readonly onElected: (term: Fence) => void;
  /** Somebody else leads, as far as is known. Must not throw. */
  readonly onFollowing?: (leader: string) => void;
  readonly clock: Clock;
  readonly uptime: Uptime;
  readonly random: Random;
  readonly log: Logger;
  readonly timing?: ElectionTiming;
};

/**
 * One leader among the candidates for a Lease, by client-go's rules: a Lease is free when nobody holds it, or when it
 * has been seen unchanged for as long as its holder asked for. Only this process's own clock is used, and every write
 * states the resourceVersion that it replaces, so of two candidates one is refused.
 *
 *     begun ────── renewed ──────────────▶ + renewDeadline: the term ends ────▶ + leaseDuration: others may take it
 *
 * Candidates also watch the Lease: one that is given back or deleted is taken at once.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #timing: ElectionTiming;
  readonly #log: Logger;
  readonly #reflector: Reflector<Lease>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #term: Term | undefined;
  /** Whether the Lease may name us: also when an answer to our write never came. */
  #mayHold = false;
  /** As we last wrote it, for a renewal without reading it first. */
  #written: Lease | undefined;
  /** What the Lease said when it was last seen, and since when it has said that, in uptime. */
  #observed: { readonly record: string; readonly since: number } | undefined;
  /** Ends the pause between two attempts. */
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** Who leads, or what fails, as it was last told. */
  #told = '';

  constructor(options: LeaderElectionOptions) {
    const timing = options.timing ?? defaultElectionTiming;
    const { leaseDuration, renewDeadline, retryPeriod } = timing;
    if (!(leaseDuration > renewDeadline && renewDeadline > retryPeriod * (1 + retryJitter) && retryPeriod > 0)) {
      const rule = 'leaseDuration must be longer than renewDeadline, and that longer than 2.2 retryPeriods';
      throw new RangeError(`election timing ${JSON.stringify(timing)}: ${rule}`);
    }
    this.#options = options;
    this.#timing = timing;
    this.#log = options.log.with({ lease: options.lease, identity: options.identity });
    const { namespace, name } = splitKey(options.lease);
    const store = new Store<Lease>({ log: this.#log });
    store.onChange((_key, now) => this.#hear(now));
    const fieldSelector = `metadata.name=${name}`;
    this.#reflector = new Reflector({ ...options, resource: leases, store, namespace, fieldSelector });
  }

  start(): void {
    if (this.#stopping.signal.aborted || this.#running !== undefined) return;
    this.#reflector.start();
    this.#running = this.#run();
  }

  isLeader(): boolean {
    return this.#term?.holds() === true;
  }

  /**
   * Ends the term and gives the Lease back, so that another candidate takes it at once. To be called when nothing more
   * is written. Takes no longer than a `retryPeriod` when the API server is away. Idempotent.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#term?.end();
    this.#wake?.();
    await this.#running;
    await this.#reflector.stop();
    if (this.#mayHold) await this.#release();
    this.#mayHold = false;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#attempt();
      await this.#pause();
    }
  }

  /** One attempt to hold the Lease, for the first time or on. Never throws. */
  async #attempt(): Promise<void> {
    // As for every limit here, the time counts from before the request: the server may have acted at once.
    const begun = this.#options.uptime();
    // After the machine was suspended the term's own timer is late.
    if (this.#term?.holds() === false) this.#endTerm('not renewed in time');
    try {
      await this.#within(this.#timing.renewDeadline / 2, (limit) =>
        this.#tryToHold(begun, AbortSignal.any([limit, this.#stopping.signal])),
      );
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#tellFailure(error);
    }
  }

  async #tryToHold(begun: number, signal: AbortSignal): Promise<void> {
    const { client, lease: key, identity } = this.#options;
    for (let lost = 0; ; lost++) {
      const lease =
        lost === 0 && this.#written !== undefined ? this.#written : await client.get(leases, key, { signal });
      const holder = lease?.spec?.holderIdentity ?? '';
      this.#observe(lease);
      if (holder !== identity) this.#endTerm(holder === '' ? 'the lease was taken away' : `taken by ${holder}`);
      if (lease !== undefined && !this.#isFree(lease)) {
        this.#mayHold = false;
        return this.#follow(holder);
      }
      const heldBefore = this.#mayHold;
      try {
        this.#mayHold = true;
        this.#written = await this.#write(lease, signal);
        this.#observe(this.#written);
        return this.#hold(begun);
      } catch (error) {
        this.#written = undefined;
        const overtaken = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
        if (overtaken) this.#mayHold = heldBefore;
        if (!overtaken || lost > 0) throw error;
      }
    }
  }

  #write(lease: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    const { client, lease: key, identity, clock } = this.#options;
    const now = microTimestamp(clock);
    const record = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(this.#timing.leaseDuration / 1_000)),
      renewTime: now,
    };
    if (lease === undefined) {
      const { namespace, name } = splitKey(key);
      const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
      return client.create(
        leases,
        { metadata, spec: { ...record, acquireTime: now, leaseTransitions: 0 } },
        { signal },
      );
    }
    const { holderIdentity, acquireTime = now, leaseTransitions = 0 } = lease.spec ?? {};
    const history =
      holderIdentity === identity
        ? { acquireTime, leaseTransitions }
        : { acquireTime: now, leaseTransitions: leaseTransitions + 1 };
    return client.update(leases, { ...lease, spec: { ...lease.spec, ...record, ...history } }, { signal });
  }

  /** The Lease is ours. */
  #hold(begun: number): void {
    const { clock, uptime, onElected } = this.#options;
    const until = begun + this.#timing.renewDeadline;
    // An answer that comes after its own deadline renews nothing.
    if (uptime() >= until || this.#stopping.signal.aborted) return;
    if (this.#term?.holds()) {
      this.#term.extend(until);
      this.#tell('leading', () => this.#log.info('lease renewed again'));
      return;
    }
    this.#endTerm('not renewed in time');
    this.#term = new Term({ until, clock, uptime, onLapse: () => this.#endTerm('not renewed in time') });
    this.#tell('leading', () => this.#log.info('elected'));
    onElected(this.#term);
  }

  #endTerm(reason: string): void {
    if (this.#term === undefined) return;
    this.#term.end();
    this.#term = undefined;
    this.#written = undefined;
    if (this.#told === 'leading') this.#told = '';
    this.#log.warn('no longer the leader', { reason });
  }

  #follow(holder: string): void {
    this.#tell(`following ${holder}`, () => this.#log.info('following', { leader: holder }));
    this.#options.onFollowing?.(holder);
  }

  /** What a watch brings may be late, but never makes a Lease look older than it is. */
  #hear(lease: Lease | undefined): void {
    this.#observe(lease);
    const holder = lease?.spec?.holderIdentity ?? '';
    const concernsUs = this.#term === undefined ? holder === '' : holder !== this.#options.identity;
    if (!concernsUs) return;
    this.#isWoken = true;
    this.#wake?.();
  }

  #observe(lease: Lease | undefined): void {
    const record = JSON.stringify(lease?.spec ?? {});
    if (this.#observed?.record !== record) this.#observed = { record, since: this.#options.uptime() };
  }

  #isFree({ spec = {} }: Lease): boolean {
    const { holderIdentity = '' } = spec;
    return holderIdentity === '' || holderIdentity === this.#options.identity || this.#patience(spec) <= 0;
  }

  /** For how much longer the observed record is to be left alone. */
  #patience({ leaseDurationSeconds }: NonNullable<Lease['spec']>): number {
    const duration = leaseDurationSeconds === undefined ? this.#timing.leaseDuration : leaseDurationSeconds * 1_000;
    const { uptime } = this.#options;
    return (this.#observed?.since ?? uptime()) + duration - uptime();
  }

  async #pause(): Promise<void> {
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#isWoken || this.#stopping.signal.aborted) resolve();
    this.#isWoken = false;
    this.#wake = resolve;
    const timer = clock.after(this.#delay(), resolve);
    await promise;
    timer.cancel();
    this.#wake = undefined;
  }

  /** A leader renews in even steps. A candidate comes when the Lease runs out, if that is sooner than its next try. */
  #delay(): number {
    const { retryPeriod } = this.#timing;
    if (this.#term !== undefined) return retryPeriod;
    const retry = retryPeriod * (1 + retryJitter * this.#options.random.float());
    const patience = this.#patience(JSON.parse(this.#observed?.record ?? '{}'));
    return patience > 0 ? Math.min(patience, retry) : retry;
  }

  async #release(): Promise<void> {
    const { client, lease: key, identity, clock } = this.#options;
    try {
      await this.#within(this.#timing.retryPeriod, async (signal) => {
        const lease = await client.get(leases, key, { signal });
        if (lease?.spec?.holderIdentity !== identity) return;
        const now = microTimestamp(clock);
        // The duration tells a client-go candidate of another version that there is nothing to wait for.
        const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
        await client.update(leases, { ...lease, spec }, { signal });
      });
    } catch (error) {
      this.#log.warn('lease not given back', { error, remedy: 'none needed: it runs out' });
    }
  }

  async #within(limit: number, act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const ending = new AbortController();
    const timer = this.#options.clock.after(limit, () => ending.abort());
    try {
      await act(ending.signal);
    } finally {
      timer.cancel();
    }
  }

  #tellFailure(error: unknown): void {
    const kind = error instanceof ApiError ? `${error.code} ${error.status}` : 'bug';
    this.#tell(`failing: ${kind}`, () => this.#log.warn('lease not reached', { error }));
  }

  /** Each state once, when it begins. */
  #tell(state: string, say: () => void): void {
    if (this.#told === state) return;
    this.#told = state;
    say();
  }
}
