import { randomBytes, randomInt } from 'node:crypto';

/** Chance as a parameter. Tests and simulations pass a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** A whole number, uniform in [0, below). `below` is at least 1. */
  integer(below: number): number;
  /** `length` random bytes; cryptographically strong in production. */
  bytes(length: number): Uint8Array;
}

export const systemRandom: Random = {
  float: () => Math.random(),
  integer: (below) => randomInt(below),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** A small seeded generator (mulberry32) for tests and simulations. Not for keys or nonces. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    float,
    integer: (below) => Math.floor(float() * below),
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(float() * 256)),
  };
}

/** A shuffled copy (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}
