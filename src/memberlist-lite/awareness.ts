/**
 * How unwell this member itself seems to be: missed acks that others would have relayed, and accusations that it had
 * to refute, speak against it. An unwell member gives the others more time before it accuses them (Lifeguard's local
 * health multiplier).
 */
export class Awareness {
  readonly #max: number;
  #score = 0;

  /** The score stays below `maxMultiplier`. */
  constructor(maxMultiplier: number) {
    this.#max = maxMultiplier - 1;
  }

  /** 0 is healthy. */
  get score(): number {
    return this.#score;
  }

  /** Positive is worse. */
  change(delta: number): void {
    this.#score = Math.min(this.#max, Math.max(0, this.#score + delta));
  }

  /** How long to wait where a healthy member waits `interval`. */
  scale(interval: number): number {
    return interval * (this.#score + 1);
  }
}
