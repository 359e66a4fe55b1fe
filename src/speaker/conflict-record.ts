import { type Address, formatAddress } from '../ip/address.ts';
import type { Claimant } from '../layer2/address-probe.ts';
import { type Clock, formatTimestamp, type Timer } from '../runtime/clock.ts';

/** A claim that is not heard again is over; milliseconds. A host speaks of its address once in some minutes. */
const lifetime = 300_000;
/** Conflicts remembered; the ones heard longest ago are forgotten first. */
const maxRemembered = 4_096;

/** Who else claims an address; `node` when it is the speaker of a node. */
export type ConflictClaimant = Claimant & { readonly node?: string };

/** In the form in which a ServiceL2Status tells it. */
export type Conflict = ConflictClaimant & { readonly since: string };

export type ConflictRecordOptions = {
  /** A conflict about the address has begun or ended, or is with another host. */
  readonly onChange: (address: Address) => void;
  readonly clock: Clock;
};

/** Which addresses of ours other hosts claim, as heard in the last minutes. Of several hosts the latest. */
export class ConflictRecord {
  readonly #options: ConflictRecordOptions;
  /** By the address's text; `heardAt` is by `clock.now()`, the oldest first. */
  readonly #conflicts = new Map<
    string,
    { readonly address: Address; readonly heardAt: number; readonly conflict: Conflict }
  >();
  #timer: Timer | undefined;

  constructor(options: ConflictRecordOptions) {
    this.#options = options;
  }

  /** Returns whether that is news: not the same host as before. */
  heard(address: Address, by: ConflictClaimant): boolean {
    const { clock, onChange } = this.#options;
    this.#expire();
    const text = formatAddress(address);
    const before = this.#conflicts.get(text)?.conflict;
    const isNews = before?.mac !== by.mac || before.node !== by.node;
    const conflict = isNews ? { ...by, since: formatTimestamp(clock.wallTime()) } : before;
    this.#conflicts.delete(text);
    this.#conflicts.set(text, { address, heardAt: clock.now(), conflict });
    for (const [oldest, { address: of }] of this.#conflicts) {
      if (this.#conflicts.size <= maxRemembered) break;
      this.#conflicts.delete(oldest);
      onChange(of);
    }
    this.#timer ??= clock.after(lifetime, () => this.#look());
    if (isNews) onChange(address);
    return isNews;
  }

  ended(address: Address): void {
    if (this.#conflicts.delete(formatAddress(address))) this.#options.onChange(address);
  }

  /** Undefined: nobody else claims the address. */
  of(address: Address): Conflict | undefined {
    return this.#conflicts.get(formatAddress(address))?.conflict;
  }

  /** Idempotent. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    this.#expire();
    const [oldest] = this.#conflicts.values();
    if (oldest === undefined) return;
    const { clock } = this.#options;
    this.#timer = clock.after(oldest.heardAt + lifetime - clock.now(), () => this.#look());
  }

  #expire(): void {
    const { clock, onChange } = this.#options;
    for (const [text, { address, heardAt }] of this.#conflicts) {
      if (clock.now() - heardAt < lifetime) return;
      this.#conflicts.delete(text);
      onChange(address);
    }
  }
}
