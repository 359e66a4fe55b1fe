import type { Logger } from '../runtime/logger.ts';
import { attempt } from './attempt.ts';
import { noBytes } from './bytes.ts';
import { maxUserStateBytes } from './limits.ts';
import type { Sender } from './sender.ts';

/** The application's part of a push/pull. */
export type UserStateOptions = {
  /**
   * What the other side of every push/pull is told, at most 1 MiB; more is logged and not sent. `join`: one of the two
   * is new to the ring.
   */
  readonly localState?: ((join: boolean) => Uint8Array) | undefined;
  /** Takes in what another member's application tells. Not called when it tells nothing. */
  readonly mergeState?: ((state: Uint8Array, from: Sender, join: boolean) => void) | undefined;
};

/** Calls the application, whose faults must not keep members from telling each other their tables. */
export class UserState {
  readonly #options: UserStateOptions;
  readonly #log: Logger;

  constructor(options: UserStateOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  local(join: boolean): Uint8Array {
    const state = attempt(this.#log, 'localState', () => this.#options.localState?.(join)) ?? noBytes;
    if (state.length <= maxUserStateBytes) return state;
    this.#log.error('user state too big', { bytes: state.length, limit: maxUserStateBytes });
    return noBytes;
  }

  merge(state: Uint8Array, from: Sender, join: boolean): void {
    if (state.length === 0) return;
    attempt(this.#log, 'mergeState', () => this.#options.mergeState?.(state, from, join));
  }
}
