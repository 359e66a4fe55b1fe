import type { Random } from '../runtime/random.ts';

export type BackoffOptions = {
  /** The longest wait after a failure to connect, in milliseconds. */
  readonly longest: number;
  readonly random: Random;
};

const shortest = 1_000;
const longestAfterErrors = 120_000;

/**
 * How long to wait before the next attempt: twice as long after each failure. Errors of protocol are not gone by trying
 * again, and double the wait twice (RFC 4271, DampPeerOscillations). Jitter never makes it less than a second, so
 * that no peer makes us connect more often than that.
 */
export class Backoff {
  readonly #longest: number;
  readonly #random: Random;
  #failures = 0;

  constructor({ longest, random }: BackoffOptions) {
    this.#longest = Math.max(shortest, longest);
    this.#random = random;
  }

  /** Milliseconds. */
  next(why: 'connection' | 'protocol'): number {
    if (why === 'protocol') this.#failures++;
    const limit = why === 'protocol' ? Math.max(longestAfterErrors, this.#longest) : this.#longest;
    const wait = Math.min(limit, shortest * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    return Math.max(shortest, jittered(wait, this.#random));
  }

  /** A session has lasted. */
  reset(): void {
    this.#failures = 0;
  }
}

/** RFC 4271 section 10: between three quarters and all of it. */
export function jittered(duration: number, random: Random): number {
  return duration * (0.75 + random.float() * 0.25);
}
