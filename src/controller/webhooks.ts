import type { SecureVersion } from 'node:tls';
import { Config } from '../config/config.ts';
import { AdmissionServer } from '../kubernetes/admission-server.ts';
import { CertificateDirectory } from '../kubernetes/certificate-directory.ts';
import { CertificateRotation } from '../kubernetes/certificate-rotation.ts';
import { CertificateSecret } from '../kubernetes/certificate-secret.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { Configuration } from '../kubernetes/configuration.ts';
import type { Node } from '../kubernetes/core.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import { nodes } from '../kubernetes/resource.ts';
import { Store } from '../kubernetes/store.ts';
import { trimMetadata } from '../kubernetes/trim-metadata.ts';
import { WebhookRegistration } from '../kubernetes/webhook-registration.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FlagValues } from '../runtime/flags.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { conversionPath, converters, reviewersOf } from './admission.ts';
import type { webhookFlags } from './webhook-flags.ts';

/** In deploy/manifests. */
const configurationName = 'metallb-webhook-configuration';
const convertedDefinition = 'bgppeers.metallb.io';

export type WebhooksOptions = {
  readonly client: ApiClient;
  /** Started and stopped by its owner. */
  readonly configuration: Configuration;
  /** Where the configuration, the Service and the Secret are. */
  readonly namespace: string;
  readonly loadBalancerClass: string;
  readonly flags: Omit<FlagValues<typeof webhookFlags>, 'webhook-mode'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** What every replica runs: the API server may call any of them. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #nodes: Store<Node>;
  readonly #nodeReflector: Reflector<Node>;
  readonly #certificates: CertificateSecret | CertificateDirectory;
  readonly #server: AdmissionServer;
  #port: number | undefined;

  constructor(options: WebhooksOptions) {
    const { configuration, flags, log } = options;
    this.#options = options;
    this.#nodes = new Store({ log });
    this.#nodeReflector = new Reflector({
      ...options,
      namespace: undefined,
      resource: nodes,
      store: this.#nodes,
      trim: ({ metadata }) => ({ metadata: trimMetadata(metadata) }),
    });
    this.#certificates = flags['disable-cert-rotation']
      ? new CertificateDirectory({ ...options, path: flags['cert-dir'] })
      : new CertificateSecret({ ...options, secret: secretOf(options) });
    this.#server = new AdmissionServer({
      ...options,
      host: flags['webhook-host'],
      port: flags['webhook-port'],
      certificate: this.#certificates,
      minVersion: tlsVersions[flags['tls-min-version']],
      reviewers: reviewersOf({ ...options, known: this.#known(), config: () => inForce(configuration) }),
      converters,
    });
  }

  /** Where they are served, once they are. */
  get port(): number | undefined {
    return this.#port;
  }

  /**
   * Resolves when they are served, which takes a certificate: in a new cluster, that of the first leader. Rejects when
   * that is impossible, or when stopped before.
   */
  async start(): Promise<void> {
    this.#certificates.start();
    this.#nodeReflector.start();
    this.#port = await this.#server.listen();
    this.#options.log.info('webhooks served', { port: this.#port });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#certificates.stop();
    await this.#server.close();
    await this.#nodeReflector.stop();
  }

  /** Why they are not served; empty when they are. */
  unready(): readonly string[] {
    if (this.#port !== undefined) return [];
    const { flags } = this.#options;
    const place = flags['disable-cert-rotation'] ? flags['cert-dir'] : `the Secret ${secretOf(this.#options)}`;
    return [`the webhooks wait for a certificate in ${place}`];
  }

  /** What the leader sees to, by its own client. Undefined where somebody else does. */
  upkeep(client: ApiClient): WebhookUpkeep | undefined {
    const source = this.#certificates;
    return source instanceof CertificateSecret ? new WebhookUpkeep({ ...this.#options, client, source }) : undefined;
  }

  #known() {
    const { configuration } = this.#options;
    const store = this.#nodes;
    return {
      get isSynced() {
        return configuration.isSynced && store.hasSynced;
      },
      resources: () => configuration.resources(),
      nodes: () => store.list().map(({ metadata }) => metadata.labels ?? {}),
    };
  }
}

/** Keeps the certificates good, and the API server told of them. Of one term of leadership. */
export class WebhookUpkeep {
  readonly #registration: WebhookRegistration;
  readonly #rotation: CertificateRotation;

  constructor(options: WebhooksOptions & { readonly source: CertificateSecret }) {
    const { namespace, flags, source, client, clock, random, log } = options;
    // And no namespace: what is registered is the cluster's.
    const edge = { client, clock, random, log };
    const name = flags['cert-service-name'];
    const service = { namespace, name, path: conversionPath, port: 443 };
    const registration = new WebhookRegistration({
      ...edge,
      configurations: [configurationName],
      definitions: [],
      conversions: { [convertedDefinition]: service },
      certificates: source,
    });
    this.#registration = registration;
    this.#rotation = new CertificateRotation({
      ...edge,
      source,
      secret: secretOf(options),
      names: [`${name}.${namespace}.svc`],
      isTrusted: (caBundle) => registration.carries(caBundle),
    });
  }

  start(): void {
    this.#registration.start();
    this.#rotation.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#rotation.stop();
    await this.#registration.stop();
  }
}

const tlsVersions = { VersionTLS12: 'TLSv1.2', VersionTLS13: 'TLSv1.3' } as const satisfies Record<
  string,
  SecureVersion
>;

/** Undefined before there is one: that no pool is known then says nothing about a Service. */
function inForce(configuration: Configuration): Config | undefined {
  const config = configuration.current();
  return config === Config.empty ? undefined : config;
}

function secretOf({ namespace, flags }: Pick<WebhooksOptions, 'namespace' | 'flags'>): string {
  return `${namespace}/${flags['webhook-secret']}`;
}
