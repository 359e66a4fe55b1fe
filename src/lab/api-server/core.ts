import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import type { Registry } from './registry.ts';
import type { Store } from './store.ts';
import type { WebhookClient } from './webhook-client.ts';

/** What every verb works on. */
export type Core = {
  readonly store: Store;
  readonly registry: Registry;
  readonly webhooks: WebhookClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};
