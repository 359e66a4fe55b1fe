/**
 * How long a suspected member has to object. The first accusation starts a long wait, and every further member that
 * accuses independently shortens it, down to a minimum once `k` of them have (Lifeguard's dynamic suspicion timeout).
 * One member with a bad link can thus not have another one removed in a hurry.
 */
export type SuspicionTimes = {
  /** Confirmations, beyond the first accusation, that shorten the wait to `min`. */
  readonly k: number;
  /** Milliseconds. */
  readonly min: number;
  readonly max: number;
};

export type SuspicionSettings = {
  readonly suspicionMult: number;
  readonly suspicionMaxTimeoutMult: number;
  readonly probeInterval: number;
};

/** `members` counts all known members, ourselves and the dead included. */
export function suspicionTimes(members: number, settings: SuspicionSettings): SuspicionTimes {
  const scale = Math.floor(Math.max(1, Math.log10(Math.max(1, members))) * 1000) / 1000;
  const min = settings.suspicionMult * scale * settings.probeInterval;
  const wanted = settings.suspicionMult - 2;
  // With too few others to ask, confirmations would never come.
  const k = members - 2 < wanted ? 0 : wanted;
  return { k, min, max: settings.suspicionMaxTimeoutMult * min };
}

/** What is left of the wait after `elapsed` milliseconds and `confirmations`; negative when it is over. */
export function remainingSuspicion(confirmations: number, elapsed: number, times: SuspicionTimes): number {
  if (times.k < 1) return times.min - elapsed;
  const share = Math.log(confirmations + 1) / Math.log(times.k + 1);
  const wait = Math.floor(times.max - share * (times.max - times.min));
  return Math.max(times.min, wait) - elapsed;
}

/** One running suspicion. */
export class Suspicion {
  readonly #times: SuspicionTimes;
  /** Who accuses, the first one included; never more than k + 1 names. */
  readonly #accusers: Set<string>;
  #start: number;

  constructor(from: string, now: number, times: SuspicionTimes) {
    this.#times = times;
    this.#accusers = new Set([from]);
    this.#start = now;
  }

  /** When the suspect is to be declared dead, on the clock that `now` is read from. */
  get deadline(): number {
    return this.#start + remainingSuspicion(this.#accusers.size - 1, 0, this.#times);
  }

  /** True when `from` is new and counts, that is, brings the deadline closer. Only such accusations are passed on. */
  confirm(from: string): boolean {
    if (this.#accusers.has(from) || this.#accusers.size > this.#times.k) return false;
    this.#accusers.add(from);
    return true;
  }

  /** Takes `duration` milliseconds out of the time that has passed: we were not there to hear an objection. */
  excuse(duration: number): void {
    this.#start += duration;
  }
}
