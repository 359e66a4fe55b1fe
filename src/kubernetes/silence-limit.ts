import type { Clock } from '../runtime/clock.ts';

/** Aborts a watch on which no byte arrived for `limit` milliseconds: the other end of the connection may be gone. */
export class SilenceLimit {
  readonly limit: number;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #lastByte: number;
  #timer;

  constructor(clock: Clock, limit: number) {
    this.limit = limit;
    this.#clock = clock;
    this.#lastByte = clock.now();
    this.#timer = clock.after(limit, () => this.#check());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get passed(): boolean {
    return this.#controller.signal.aborted;
  }

  async *watching(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#lastByte = this.#clock.now();
      yield chunk;
    }
  }

  stop(): void {
    this.#timer.cancel();
  }

  /** One timer for the whole watch, not one a chunk: it looks when the last byte came and goes to sleep again. */
  #check(): void {
    const left = this.#lastByte + this.limit - this.#clock.now();
    if (left <= 0) this.#controller.abort();
    else this.#timer = this.#clock.after(left, () => this.#check());
  }
}
