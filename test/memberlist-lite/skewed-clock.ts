import type { Clock, Timer } from '../../src/runtime/clock.ts';

/** A clock beside another one, as a machine has it: set differently, and running fast by `drift`, a share. */
export function skewed(clock: Clock, offset: number, drift: number): Clock {
  const rate = 1 + drift;
  const after = (delay: number, run: () => void): Timer => clock.after(delay / rate, run);
  return {
    now: () => offset + clock.now() * rate,
    wallTime: () => clock.wallTime() * rate + offset,
    after,
    every: (period, run) => clock.every(period / rate, run),
  };
}
