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
import { type Resource, resource } from './resource.ts';
import { Store } from './store.ts';

const metallb = { group: 'metallb.io', version: 'v1beta1', namespaced: true } as const;

export const ipAddressPools = resource<IPAddressPool & KubernetesObject>({
  ...metallb,
  plural: 'ipaddresspools',
  kind: 'IPAddressPool',
});

export const l2Advertisements = resource<L2Advertisement & KubernetesObject>({
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
  /** Resolves when the resources have been read once, faulty or not. */
  readonly synced: Promise<void>;
  readonly #options: ConfigurationOptions;
  readonly #pools: Store<IPAddressPool & KubernetesObject>;
  readonly #advertisements: Store<L2Advertisement & KubernetesObject>;
  readonly #reflectors: readonly Reflector<KubernetesObject>[];
  readonly #listeners = new Set<(config: Config) => void>();
  #current = Config.empty;
  #errors: readonly ConfigError[] = [];
  #pending: Timer | undefined;

  constructor(options: ConfigurationOptions) {
    const { log } = options;
    this.#options = options;
    this.#pools = new Store({ log });
    this.#advertisements = new Store({ log });
    this.#reflectors = [
      this.#reflect(ipAddressPools, this.#pools),
      this.#reflect(l2Advertisements, this.#advertisements),
    ];
    this.synced = Promise.all(this.#reflectors.map((reflector) => reflector.synced)).then(() => this.#compile());
    // Whoever awaits it learns of the rejection that stop() brings; nobody has to.
    this.synced.catch(() => {});
  }

  start(): void {
    for (const store of [this.#pools, this.#advertisements]) {
      store.onChange(() => {
        if (this.#pools.hasSynced && this.#advertisements.hasSynced) {
          this.#pending ??= this.#options.clock.after(0, () => this.#compile());
        }
      });
    }
    for (const reflector of this.#reflectors) reflector.start();
  }

  async stop(): Promise<void> {
    this.#pending?.cancel();
    this.#listeners.clear();
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  current(): Config {
    return this.#current;
  }

  /** What stands against the resources as they are now. Empty when `current()` is what they say. */
  errors(): readonly ConfigError[] {
    return this.#errors;
  }

  /** Called when another configuration is in force. */
  onChange(listener: (config: Config) => void): void {
    this.#listeners.add(listener);
  }

  #compile(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    const { log } = this.#options;
    const compiled = compile({ pools: this.#pools.list(), l2Advertisements: this.#advertisements.list() });
    if ('errors' in compiled) {
      const before = this.#errors.map(formatProblem);
      this.#errors = compiled.errors;
      const now = this.#errors.map(formatProblem);
      if (now.join('\n') !== before.join('\n')) {
        log.error('configuration refused: the last good one stays in force', { problems: now });
      }
      return;
    }
    this.#errors = [];
    if (compiled.config.equals(this.#current)) return;
    this.#current = compiled.config;
    log.info('configuration in force', { pools: compiled.config.pools.map((pool) => pool.name) });
    for (const listener of this.#listeners) listener(compiled.config);
  }

  #reflect<T extends KubernetesObject>(of: Resource<T>, store: Store<T>): Reflector<KubernetesObject> {
    return new Reflector({ ...this.#options, resource: of, store }) as unknown as Reflector<KubernetesObject>;
  }
}
