import type { Address } from '../../ip/address.ts';
import { RouterDiscovery, type RouterDiscoveryEvent } from '../../layer2/router-discovery.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NeighborDiscovery } from './peer-sessions.ts';

export type LinkNeighborsOptions = {
  /** Another router is heard, or the same one at another address. */
  readonly onChange: () => void;
  readonly log: Logger;
};

/** Finds peers by the interface they are behind. There is no socket for it before somebody asks. */
export class LinkNeighbors implements NeighborDiscovery {
  readonly #options: LinkNeighborsOptions;
  #discovery: RouterDiscovery | undefined;
  #watched = '';
  #isClosed = false;

  constructor(options: LinkNeighborsOptions) {
    this.#options = options;
  }

  watch(interfaces: ReadonlySet<string>): void {
    const names = [...interfaces].sort();
    if (this.#isClosed || names.join() === this.#watched) return;
    this.#watched = names.join();
    try {
      this.#discovery ??= new RouterDiscovery({ onEvent: (event) => this.#see(event) });
      this.#discovery.setInterfaces(names);
    } catch (error) {
      this.#options.log.error('routers on links cannot be found', { error });
    }
  }

  neighborOn(name: string): Address | undefined {
    return this.#discovery?.routers(name)[0]?.address;
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#discovery?.close();
    this.#discovery = undefined;
  }

  #see(event: RouterDiscoveryEvent): void {
    const { log, onChange } = this.#options;
    if (event.type === 'router') onChange();
    else log.warn('router discovery failure', event);
  }
}
