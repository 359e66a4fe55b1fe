import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { type CertificateSource, type Certificates, type ServingCertificate, unusable } from './certificates.ts';
import type { ApiClient } from './client.ts';
import type { Secret } from './core.ts';
import { Reflector } from './reflector.ts';
import { type ObjectKey, secrets, splitKey } from './resource.ts';
import { Store } from './store.ts';

export type CertificateSecretOptions = {
  readonly client: ApiClient;
  readonly secret: ObjectKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** The keys of the Secret, which are MetalLB's. */
const keys = { authorities: 'ca.crt', authorityKey: 'ca.key', certificate: 'tls.crt', key: 'tls.key' } as const;

/** The certificate in a Secret that all replicas share. What cannot be served is told, and the last good one stays. */
export class CertificateSecret implements CertificateSource {
  readonly ready: Promise<void>;
  readonly #log: Logger;
  readonly #store: Store<Secret>;
  readonly #reflector: Reflector<Secret>;
  readonly #first = Promise.withResolvers<void>();
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: ServingCertificate | undefined;

  constructor(options: CertificateSecretOptions) {
    const { secret: key, log } = options;
    const { namespace, name } = splitKey(key);
    this.#log = log.with({ secret: key });
    this.#store = new Store<Secret>({ log });
    this.#store.onChange((_key, now) => this.#take(now));
    const fieldSelector = `metadata.name=${name}`;
    this.#reflector = new Reflector({ ...options, resource: secrets, store: this.#store, namespace, fieldSelector });
    this.ready = this.#first.promise;
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.ready.catch(() => {});
  }

  start(): void {
    this.#reflector.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    await this.#reflector.stop();
    this.#first.reject(new Error('certificate: stopped before there was one'));
  }

  current(): ServingCertificate | undefined {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Called when the Secret is another or gone, whether it can be served or not. Returns how to end that. */
  onWrite(listener: () => void): () => void {
    return this.#store.onChange(listener);
  }

  #take(secret: Secret | undefined): void {
    const held = certificatesOf(secret);
    if (held === undefined) return;
    const { authorities: caBundle, certificate, key } = held;
    const { caBundle: oldBundle, certificate: oldCertificate, key: oldKey } = this.#current ?? {};
    if (caBundle === oldBundle && certificate === oldCertificate && key === oldKey) return;
    const problem = unusable(held);
    if (problem !== undefined) {
      this.#log.warn('certificate not taken', {
        problem,
        inUse: this.#current === undefined ? 'none' : 'the last one',
      });
      return;
    }
    this.#current = { certificate, key, caBundle };
    this.#log.info('certificate taken');
    this.#first.resolve();
    for (const listener of this.#listeners) listener(this.#current);
  }
}

/** What the Secret holds; undefined when a part is missing. */
export function certificatesOf(secret: Secret | undefined): Certificates | undefined {
  const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString();
  const held = {
    authorities: text(keys.authorities),
    authorityKey: text(keys.authorityKey),
    certificate: text(keys.certificate),
    key: text(keys.key),
  };
  return Object.values(held).includes('') ? undefined : held;
}

/** The data of a Secret that holds these. */
export function secretData(certificates: Certificates): Readonly<Record<string, string>> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    [keys.authorities]: base64(certificates.authorities),
    [keys.authorityKey]: base64(certificates.authorityKey),
    [keys.certificate]: base64(certificates.certificate),
    [keys.key]: base64(certificates.key),
  };
}
