import { AdmissionServer, type AdmissionServerOptions } from '../../src/kubernetes/admission-server.ts';
import { type CertificateSource, rotate, type ServingCertificate } from '../../src/kubernetes/certificates.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';

/** The Service by which API servers reach the webhooks of a test. */
export const webhookService = { namespace: 'metallb-system', name: 'webhook-service' };
export const webhookName = `${webhookService.name}.${webhookService.namespace}.svc`;

/** A certificate that is good now, for `webhookName` and 127.0.0.1’s name. */
export function newServingCertificate(): ServingCertificate & { readonly caBundle: string } {
  const names = [webhookName, 'localhost'];
  const rotation = rotate(undefined, { names, now: systemClock.wallTime(), isTrusted: true, random: systemRandom });
  if (rotation === undefined) throw new TypeError('from nothing something is made');
  const { certificate, key, authorities } = rotation.certificates;
  return { certificate, key, caBundle: authorities };
}

/** A certificate that a test can replace. */
export class TestCertificate implements CertificateSource {
  readonly ready = Promise.resolve();
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current = newServingCertificate();

  current(): ServingCertificate & { readonly caBundle: string } {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  replace(): void {
    this.#current = newServingCertificate();
    for (const listener of this.#listeners) listener(this.#current);
  }
}

/** The product's own webhook server on a free port of 127.0.0.1. */
export class TestWebhooks {
  readonly certificate: TestCertificate;
  readonly port: number;
  readonly #server: AdmissionServer;

  static async start(
    options: Partial<AdmissionServerOptions>,
    certificate = new TestCertificate(),
  ): Promise<TestWebhooks> {
    const edge = { host: '127.0.0.1', port: 0, clock: systemClock, log: silentLogger };
    const server = new AdmissionServer({ ...edge, reviewers: {}, converters: {}, ...options, certificate });
    return new TestWebhooks(server, certificate, await server.listen());
  }

  constructor(server: AdmissionServer, certificate: TestCertificate, port: number) {
    this.#server = server;
    this.certificate = certificate;
    this.port = port;
  }

  /** As the API server wants it in a `clientConfig`. */
  get caBundle(): string {
    return Buffer.from(this.certificate.current().caBundle).toString('base64');
  }

  stop(): Promise<void> {
    return this.#server.close();
  }
}
