import { formatProblem } from '../api/field.ts';
import type { IPAddressPool } from '../api/ip-address-pool.ts';
import type { L2Advertisement } from '../api/l2-advertisement.ts';
import { type ConfigError, compile } from '../config/compile.ts';
import { Config } from '../config/config.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { ApiClient } from './client.ts';
import type { KubernetesObject } from './core.ts';
import { Reflector } from './reflector.ts';
import { resource } from './resource.ts';
import { Store } from './store.ts';

export type PoolObject = IPAddressPool & KubernetesObject;
export type L2AdvertisementObject = L2Advertisement & KubernetesObject;

const metallb = { group: 'metallb.io', version: 'v1beta1', namespaced: true } as const;

export const ipAddressPools = resource<PoolObject>({ ...metallb, plural: 'ipaddresspools', kind: 'IPAddressPool' });

export const l2Advertisements = resource<L2AdvertisementObject>({
  ...metallb,
  plural: 'l2advertisements',
  kind: 'L2Advertisement',
});

export type ConfigurationOptions = {
  readonly client: ApiClient;
  /** Where the resources are honoured; those of other namespaces are not read. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * The last configuration without a fault. Watches the pools and advertisements of one namespace; a change with a fault
 * is reported and leaves what is in force as it is.
 */
export class Configuration {
  /**
   * Resolves when the first configuration is in force; an empty one counts. Until then nothing may be decided: who
   * starts while the resources have a fault would otherwise take every address away. Rejects when stopped before.
   */
  readonly inForce: Promise<void>;
  /** The pools as they are in the API, whether they are in force or not. */
  readonly pools: Pick<Store<PoolObject>, 'get' | 'onChange'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pools: Store<PoolObject>;
  readonly #advertisements: Store<L2AdvertisementObject>;
  readonly #reflectors: readonly Pick<Reflector<KubernetesObject>, 'start' | 'stop' | 'synced'>[];
  readonly #listeners = new Set<(config: Config) => void>();
  readonly #first = Promise.withResolvers<void>();
  #current: Config | undefined;
  #errors: readonly ConfigError[] = [];
  #pending: Timer | undefined;

  constructor(options: ConfigurationOptions) {
    const { clock, log } = options;
    this.#clock = clock;
    this.#log = log;
    this.#pools = this.pools = new Store<PoolObject>({ log });
    this.#advertisements = new Store({ log });
    this.#reflectors = [
      new Reflector({ ...options, resource: ipAddressPools, store: this.#pools }),
      new Reflector({ ...options, resource: l2Advertisements, store: this.#advertisements }),
    ];
    this.#pools.onChange((_key, now, before) => this.#onChange(now, before));
    this.#advertisements.onChange((_key, now, before) => this.#onChange(now, before));
    this.inForce = this.#first.promise;
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.inForce.catch(() => {});
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
    // For two empty lists, which no change announces. Rejects only when stopped, as `inForce` does.
    void Promise.all(this.#reflectors.map((reflector) => reflector.synced)).then(
      () => this.#compile(),
      () => {},
    );
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
    this.#pending?.cancel();
    this.#first.reject(new Error('configuration: stopped before there was one without a fault'));
  }

  /** What is in force; empty before `inForce` has resolved. */
  current(): Config {
    return this.#current ?? Config.empty;
  }

  /** What stands against the resources as they are now. Empty when `current()` is what they say. */
  errors(): readonly ConfigError[] {
    return this.#errors;
  }

  /** Called when another configuration is in force. */
  onChange(listener: (config: Config) => void): void {
    this.#listeners.add(listener);
  }

  /** Changes that arrive together are compiled together; our own writes to the status of a pool are no change. */
  #onChange(now: PoolObject | L2AdvertisementObject | undefined, before: typeof now): void {
    if (!this.#pools.hasSynced || !this.#advertisements.hasSynced || declared(now) === declared(before)) return;
    this.#pending ??= this.#clock.after(0, () => this.#compile());
  }

  #compile(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    const compiled = compile({ pools: this.#pools.list(), l2Advertisements: this.#advertisements.list() });
    if ('errors' in compiled) this.#refuse(compiled.errors);
    else this.#put(compiled.config);
  }

  #refuse(errors: readonly ConfigError[]): void {
    const before = this.#errors.map(formatProblem);
    const problems = errors.map(formatProblem);
    this.#errors = errors;
    if (problems.join('\n') === before.join('\n')) return;
    const inForce = this.#current === undefined ? 'none' : 'the last one without a fault';
    this.#log.error('configuration refused', { problems, inForce });
  }

  #put(config: Config): void {
    const recovered = this.#errors.length > 0;
    const changed = this.#current === undefined || !this.#current.equals(config);
    this.#errors = [];
    if (changed || recovered) {
      this.#log.info('configuration in force', { pools: config.pools.map((pool) => pool.name) });
    }
    if (!changed) return;
    this.#current = config;
    this.#first.resolve();
    for (const listener of this.#listeners) listener(config);
  }
}

/** All that `compile` reads of an object. */
function declared(object: PoolObject | L2AdvertisementObject | undefined): string {
  return object === undefined ? '' : JSON.stringify([object.metadata.labels, object.spec]);
}
