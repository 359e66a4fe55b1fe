import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { isConflict, isNotFound } from './api-error.ts';
import type { CertificateSource } from './certificates.ts';
import type { ApiClient } from './client.ts';
import type {
  CustomResourceDefinition,
  KubernetesObject,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from './core.ts';
import { Reflector } from './reflector.ts';
import { customResourceDefinitions, type Resource, validatingWebhookConfigurations } from './resource.ts';
import { Store } from './store.ts';
import { WorkQueue } from './workqueue.ts';

/** Somebody who sets another bundle as often as this within the window is not fought, but told of. */
const maxRepairs = 5;
const repairWindow = 60_000;

export type WebhookRegistrationOptions = {
  /** Of the leader, and fenced. */
  readonly client: ApiClient;
  /** Names of ValidatingWebhookConfigurations, all of whose webhooks are ours. */
  readonly configurations: readonly string[];
  /** Names of CustomResourceDefinitions whose conversion webhook is ours. */
  readonly definitions: readonly string[];
  /**
   * CustomResourceDefinition → the Service whose webhook converts it, which is set there with the bundle: how objects
   * were converted before does not matter.
   */
  readonly conversions?: Readonly<Record<string, ServiceReference>>;
  readonly certificates: Pick<CertificateSource, 'current' | 'onChange'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** As the API server completes it, or it would never be found to be there. */
export type ServiceReference = Readonly<Required<NonNullable<WebhookClientConfig['service']>>>;

/**
 * Keeps the API server told whom our webhooks' certificate is vouched for by: the caBundle of every place that names
 * them is the one of the certificate in use, whoever changes it. Objects that are not there are not missed.
 */
export class WebhookRegistration {
  readonly #options: WebhookRegistrationOptions;
  readonly #queue: WorkQueue;
  /** Key in the queue → what is registered there. */
  readonly #registered = new Map<string, Registered>();
  readonly #unsubscribe: () => void;

  constructor(options: WebhookRegistrationOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ ...options, name: 'webhook registration', reconcile: (key) => this.#reconcile(key) });
    for (const name of options.configurations) this.#follow(validatingWebhookConfigurations, name, configurationWith);
    for (const name of options.definitions) this.#follow(customResourceDefinitions, name, definitionWith);
    for (const [name, service] of Object.entries(options.conversions ?? {})) {
      this.#follow(customResourceDefinitions, name, (definition, bundle) => convertedBy(service, definition, bundle));
    }
    this.#unsubscribe = options.certificates.onChange(() => {
      for (const key of this.#registered.keys()) this.#queue.add(key);
    });
  }

  start(): void {
    for (const { reflector } of this.#registered.values()) reflector.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#queue.stop();
    await Promise.all([...this.#registered.values()].map(({ reflector }) => reflector.stop()));
  }

  /** Whether every place has this bundle, as far as has been heard. */
  carries(caBundle: string): boolean {
    return [...this.#registered.values()].every(
      ({ isSynced, missing }) => isSynced() && missing(caBundle) === undefined,
    );
  }

  #follow<T extends KubernetesObject>(
    of: Resource<T>,
    name: string,
    withBundle: (object: T, bundle: string) => T,
  ): void {
    const { client, log } = this.#options;
    const store = new Store<T>({ log });
    const key = `${of.plural}/${name}`;
    store.onChange(() => this.#queue.add(key));
    const missing = (caBundle: string) => {
      const object = store.get(name);
      const wanted = object && withBundle(object, Buffer.from(caBundle).toString('base64'));
      return wanted === undefined || isDeepStrictEqual(object, wanted) ? undefined : wanted;
    };
    this.#registered.set(key, {
      reflector: new Reflector({ ...this.#options, resource: of, store, fieldSelector: `metadata.name=${name}` }),
      isSynced: () => store.hasSynced,
      missing: (caBundle) => {
        const wanted = missing(caBundle);
        return wanted && (() => client.update(of, wanted));
      },
      written: '',
      repairs: [],
    });
  }

  async #reconcile(key: string): Promise<void> {
    const { certificates, clock, log } = this.#options;
    const caBundle = certificates.current()?.caBundle;
    const registered = this.#registered.get(key);
    if (caBundle === undefined || registered === undefined) return;
    const write = registered.missing(caBundle);
    if (write === undefined) {
      registered.written = caBundle;
      return;
    }
    const isRepair = registered.written === caBundle;
    if (isRepair) {
      registered.repairs = registered.repairs.filter((at) => clock.now() - at < repairWindow);
      if (registered.repairs.length >= maxRepairs) {
        const remedy = 'see who else sets its caBundle, such as cert-manager’s injector';
        log.warn('webhook registration keeps being changed', { object: key, remedy });
        this.#queue.addAfter(key, repairWindow);
        return;
      }
      registered.repairs.push(clock.now());
    }
    try {
      await write();
    } catch (error) {
      // Somebody else wrote first, and the watch will bring what.
      if (isConflict(error) || isNotFound(error)) return;
      throw error;
    }
    registered.written = caBundle;
    log.info('webhook registered', { object: key, repaired: isRepair });
  }
}

type Registered = {
  readonly reflector: Pick<Reflector<KubernetesObject>, 'start' | 'stop'>;
  readonly isSynced: () => boolean;
  /** What writes the bundle where it is missing; undefined when it is nowhere. */
  readonly missing: (caBundle: string) => (() => Promise<unknown>) | undefined;
  /** The bundle that was last seen or put there. */
  written: string;
  /** When it was put there again, in the last window. */
  repairs: number[];
};

function configurationWith(
  configuration: ValidatingWebhookConfiguration,
  caBundle: string,
): ValidatingWebhookConfiguration {
  if (configuration.webhooks === undefined) return configuration;
  const webhooks = configuration.webhooks.map((webhook) => ({
    ...webhook,
    clientConfig: { ...webhook.clientConfig, caBundle },
  }));
  return { ...configuration, webhooks };
}

/** A definition without a conversion webhook needs none. */
function definitionWith(definition: CustomResourceDefinition, caBundle: string): CustomResourceDefinition {
  const { conversion } = definition.spec;
  if (conversion?.strategy !== 'Webhook' || conversion.webhook?.clientConfig === undefined) return definition;
  const webhook = { ...conversion.webhook, clientConfig: { ...conversion.webhook.clientConfig, caBundle } };
  return { ...definition, spec: { ...definition.spec, conversion: { ...conversion, webhook } } };
}

function convertedBy(
  service: ServiceReference,
  definition: CustomResourceDefinition,
  caBundle: string,
): CustomResourceDefinition {
  const webhook = { clientConfig: { service, caBundle }, conversionReviewVersions: ['v1'] };
  return { ...definition, spec: { ...definition.spec, conversion: { strategy: 'Webhook', webhook } } };
}
