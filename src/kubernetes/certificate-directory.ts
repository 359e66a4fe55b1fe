import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { type CertificateSource, type ServingCertificate, unusable } from './certificates.ts';

/** How often the files are read; milliseconds. A mounted Secret takes a minute to change anyway. */
const readPeriod = 10_000;

export type CertificateDirectoryOptions = {
  /** Has `tls.crt` and `tls.key`, and perhaps `ca.crt`, as a Secret of cert-manager's that is mounted. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * The certificate in a directory, as somebody else puts it there. What cannot be served, such as a new certificate
 * beside the old key, is told, and the last good one stays.
 */
export class CertificateDirectory implements CertificateSource {
  readonly ready: Promise<void>;
  readonly #options: CertificateDirectoryOptions;
  readonly #log: Logger;
  readonly #first = Promise.withResolvers<void>();
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: ServingCertificate | undefined;
  #timer: Timer | undefined;
  #reading: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  constructor(options: CertificateDirectoryOptions) {
    this.#options = options;
    this.#log = options.log.with({ directory: options.path });
    this.ready = this.#first.promise;
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.ready.catch(() => {});
  }

  start(): void {
    this.#reading = this.#read();
    this.#timer = this.#options.clock.every(readPeriod, () => {
      this.#reading = this.#reading.then(() => this.#read());
    });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#listeners.clear();
    await this.#reading;
    this.#first.reject(new Error(`certificate: stopped before there was one in ${this.#options.path}`));
  }

  current(): ServingCertificate | undefined {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    const { path } = this.#options;
    try {
      // One after the other: of two that are missing it is always the same that is told.
      const certificate = await readFile(join(path, 'tls.crt'), 'utf8');
      const key = await readFile(join(path, 'tls.key'), 'utf8');
      const caBundle = await readFile(join(path, 'ca.crt'), 'utf8').catch(ifAbsent);
      this.#take({ certificate, key, caBundle });
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }

  #take(found: ServingCertificate): void {
    const problem = unusable(found);
    if (problem !== undefined) {
      this.#complain(problem);
      return;
    }
    this.#problem = undefined;
    const { certificate, key, caBundle } = this.#current ?? {};
    if (certificate === found.certificate && key === found.key && caBundle === found.caBundle) return;
    this.#current = found;
    this.#log.info('certificate taken');
    this.#first.resolve();
    for (const listener of this.#listeners) listener(found);
  }

  /** Each problem once, when it begins. */
  #complain(problem: string): void {
    if (this.#problem === problem) return;
    this.#problem = problem;
    this.#log.warn('certificate not taken', { problem, inUse: this.#current === undefined ? 'none' : 'the last one' });
  }
}

function ifAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
