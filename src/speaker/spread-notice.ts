import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Logger } from '../runtime/logger.ts';
import { announceable } from './announceable.ts';
import type { View } from './decision.ts';
import { hasSeveral } from './has-several.ts';

export type SpreadNoticeOptions = {
  readonly services: Pick<Store<Service>, 'get' | 'keys'>;
  readonly view: () => Pick<View, 'config' | 'loadBalancerClass'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
};

/** Tells of each Service with several addresses that one node has all of them, for as long as it must be so: once. */
export class SpreadNotice {
  readonly #options: SpreadNoticeOptions;
  readonly #told = new Set<ObjectKey>();
  #because: string | undefined;
  #isTeller = false;

  constructor(options: SpreadNoticeOptions) {
    this.#options = options;
  }

  /**
   * `because` is why addresses of one Service are not spread; undefined when they are. Each speaker has its own log, and
   * the teller also tells the Services: it is to be one of all, the same for all.
   */
  see(because: string | undefined, isTeller: boolean): void {
    this.#because = because;
    this.#isTeller = isTeller;
    const { services, log } = this.#options;
    if (because !== undefined) {
      for (const key of services.keys()) this.serviceChanged(key);
    } else if (this.#told.size > 0) {
      log.info('addresses of one Service on different nodes again', { services: this.#told.size });
      this.#told.clear();
    }
  }

  /** The Service is another. */
  serviceChanged(key: ObjectKey): void {
    if (this.#because === undefined) return;
    const service = this.#options.services.get(key);
    if (service === undefined || !this.#isConcerned(service)) this.#told.delete(key);
    else if (!this.#told.has(key)) this.#tell(key, service, this.#because);
  }

  #isConcerned(service: Service): boolean {
    if ((service.status?.loadBalancer?.ingress?.length ?? 0) < 2) return false;
    const { config, loadBalancerClass } = this.#options.view();
    const found = announceable(service, config, loadBalancerClass);
    return 'addresses' in found && hasSeveral(found.addresses);
  }

  #tell(key: ObjectKey, service: Service, because: string): void {
    const { events, log } = this.#options;
    // Of many the first one says it all.
    if (this.#told.size === 0) log.warn('all addresses of a Service on one node', { service: key, because });
    this.#told.add(key);
    if (!this.#isTeller) return;
    const message = `one node announces all addresses, because ${because}`;
    events.record(service, { type: 'Warning', reason: 'addressesNotSpread', message });
  }
}
