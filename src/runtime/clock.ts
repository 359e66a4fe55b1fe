/** A timer that has been armed. `cancel()` is idempotent and does nothing after the timer has fired. */
export type Timer = { cancel(): void };

/**
 * Time as a parameter. Everything outside `src/runtime` that waits or measures takes a Clock, so that tests and
 * simulations can run it in virtual time.
 */
export interface Clock {
  /** Milliseconds on a monotonic clock with an arbitrary origin; fractions are meaningful. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC. For timestamps that people read, never for measuring. */
  wallTime(): number;
  /** Calls `run` once, `delay` milliseconds from now. */
  after(delay: number, run: () => void): Timer;
  /** Calls `run` every `period` milliseconds until cancelled. A late call does not make the next one early. */
  every(period: number, run: () => void): Timer;
}

/** The machine's clock. Its timers keep the process alive like any Node timer. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delay, run) {
    const handle = setTimeout(run, delay);
    return { cancel: () => clearTimeout(handle) };
  },
  every(period, run) {
    const handle = setInterval(run, period);
    return { cancel: () => clearInterval(handle) };
  },
};

/**
 * Resolves after `delay` milliseconds. With a signal, rejects with the signal's reason as soon as it aborts, and
 * leaves no timer behind.
 */
export function sleep(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delay, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** RFC 3339 with milliseconds, UTC: `2026-11-21T07:31:08.123Z`. */
export function timestamp(clock: Clock): string {
  return formatTimestamp(clock.wallTime());
}

/** The same for a given moment, in milliseconds since 1970. */
export function formatTimestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** The same with whole seconds, rounded down: the form of `metav1.Time`. */
export function formatSeconds(milliseconds: number): string {
  return `${formatTimestamp(milliseconds).slice(0, 19)}Z`;
}

/** RFC 3339 with microseconds, the form of Kubernetes' MicroTime (Lease, Event). */
export function microTimestamp(clock: Clock): string {
  return `${timestamp(clock).slice(0, -1)}000Z`;
}

/** Milliseconds since 1970 of an RFC 3339 text, or undefined when it is none. */
export function parseTimestamp(text: string): number | undefined {
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
