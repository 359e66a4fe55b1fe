/** Of the addresses that a node claims at once, speakers ask about so many. */
const sampleSize = 50;
/** More than half of the sample. */
const enough = sampleSize / 2 + 1;
/** What is claimed at once is announced within about this time; milliseconds. */
const moment = 1_000;

export type Claim = { readonly node: string; readonly since: number; readonly isVerified: boolean };

type Tally = { claimed: number; verified: number };

/**
 * Counts what nodes claimed at once, and how much of that was verified. When a node takes over thousands of addresses,
 * speakers ask about a sample of them: the others are as good as the sample is.
 */
export class SampledClaims {
  /** Node → moment → counts, none of them of nothing. */
  readonly #tallies = new Map<string, Map<number, Tally>>();

  add(claim: Claim): void {
    this.#count(claim, 1);
  }

  /** Of a claim that was added. */
  remove(claim: Claim): void {
    this.#count(claim, -1);
  }

  /** Whether what the node claimed at that time was too much to ask about all of it, and what was asked about is well. */
  vouchFor(node: string, since: number): boolean {
    const tallies = this.#tallies.get(node);
    const at = Math.floor(since / moment);
    const around = [at - 1, at, at + 1].flatMap((one) => tallies?.get(one) ?? []);
    const claimed = around.reduce((sum, tally) => sum + tally.claimed, 0);
    const verified = around.reduce((sum, tally) => sum + tally.verified, 0);
    return claimed > sampleSize && verified >= enough;
  }

  #count({ node, since, isVerified }: Claim, step: 1 | -1): void {
    const tallies = this.#tallies.get(node) ?? new Map<number, Tally>();
    const at = Math.floor(since / moment);
    const tally = tallies.get(at) ?? { claimed: 0, verified: 0 };
    tally.claimed += step;
    if (isVerified) tally.verified += step;
    if (tally.claimed === 0) tallies.delete(at);
    else tallies.set(at, tally);
    if (tallies.size === 0) this.#tallies.delete(node);
    else this.#tallies.set(node, tallies);
  }
}
