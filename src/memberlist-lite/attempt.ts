import type { Logger } from '../runtime/logger.ts';

/** Calls the application. What a peer sent must not end the process because the application stumbles over it. */
export function attempt<T>(log: Logger, callback: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    log.error('callback failed', { callback, error });
    return undefined;
  }
}
