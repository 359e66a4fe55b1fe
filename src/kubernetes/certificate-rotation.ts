import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts';
import { type CertificateSecret, certificatesOf, secretData } from './certificate-secret.ts';
import { rotate } from './certificates.ts';
import type { ApiClient } from './client.ts';
import { type ObjectKey, secrets, splitKey } from './resource.ts';
import { WorkQueue } from './workqueue.ts';

/** How often the certificates are looked at; milliseconds. */
const lookPeriod = 900_000;
/** Writers of the Secret are few; who loses this often in a row had better come back later. */
const maxConflicts = 5;

export type CertificateRotationOptions = {
  /** Of the leader, and fenced. */
  readonly client: ApiClient;
  readonly secret: ObjectKey;
  /** The DNS names of the server. */
  readonly names: readonly string[];
  /** The same Secret as it is followed: it is looked at again when somebody writes it. */
  readonly source: Pick<CertificateSecret, 'onWrite'>;
  /** Whether everybody who checks the server's certificate has this bundle by now. */
  readonly isTrusted: (caBundle: string) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Makes the certificates in the Secret, and renews them in time. The decision is made from the Secret as it is, and
 * written only over what it was made from, so replicas that begin at once agree on one.
 */
export class CertificateRotation {
  readonly #options: CertificateRotationOptions;
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #unsubscribe: () => void;

  constructor(options: CertificateRotationOptions) {
    this.#options = options;
    this.#log = options.log.with({ secret: options.secret });
    this.#queue = new WorkQueue({ ...options, name: 'certificates', reconcile: (key) => this.#look(key) });
    this.#unsubscribe = options.source.onWrite(() => this.#queue.add(options.secret));
  }

  start(): void {
    this.#queue.add(this.#options.secret);
  }

  /** Idempotent. */
  stop(): Promise<void> {
    this.#unsubscribe();
    return this.#queue.stop();
  }

  async #look(key: ObjectKey): Promise<void> {
    for (let conflicts = 1; !(await this.#rotated(key)); conflicts++) {
      if (conflicts === maxConflicts) throw new Error(`secret ${key}: somebody else keeps writing it`);
    }
    this.#queue.addAfter(key, lookPeriod);
  }

  /** False when somebody else has written the Secret meanwhile. */
  async #rotated(key: ObjectKey): Promise<boolean> {
    const { client, names, isTrusted, clock, random } = this.#options;
    const secret = await client.get(secrets, key);
    const present = certificatesOf(secret);
    const trusted = present !== undefined && isTrusted(present.authorities);
    const rotation = rotate(present, { names, now: clock.wallTime(), isTrusted: trusted, random });
    if (rotation === undefined) return true;
    const data = secretData(rotation.certificates);
    try {
      if (secret === undefined) {
        const { namespace, name } = splitKey(key);
        const metadata = namespace === undefined ? { name } : { namespace, name };
        await client.create(secrets, { metadata, type: 'Opaque', data });
      } else {
        await client.update(secrets, { ...secret, data: { ...secret.data, ...data } });
      }
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || (secret !== undefined && isNotFound(error))) return false;
      throw error;
    }
    this.#log.info('certificates renewed', { reason: rotation.reason });
    return true;
  }
}
