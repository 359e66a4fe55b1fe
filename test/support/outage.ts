/** What became of one request of a client: milliseconds since 1970; `answered` is undefined when it never was. */
export type Request = {
  /** Index of the address asked. */
  readonly target: number;
  readonly sent: number;
  readonly answered: number | undefined;
};

/** What a client noticed of one address. */
export type Outage = {
  /**
   * The longest time for which requests had been sent and none was answered, in milliseconds: the longest gap between
   * two answers less the interval of the requests. The time of one request there and back when nothing was wrong.
   */
  readonly longest: number;
  /** When service came back after it; undefined when it never did. */
  readonly until: number | undefined;
  readonly lost: number;
};

/** Pure: of the requests to one address that were sent from `since` on, in any order. */
export function outageOf(requests: readonly Request[], since = 0): Outage {
  const asked = requests.filter(({ sent }) => sent >= since).toSorted((a, b) => a.sent - b.sent);
  const answers = asked.flatMap(({ answered }) => answered ?? []).sort((a, b) => a - b);
  let longest = 0;
  let until: number | undefined = asked[0]?.sent;
  let next = 0;
  /** Since when nothing has come although something was asked for. */
  let waitingSince: number | undefined;
  for (const { sent } of asked) {
    for (let answer = answers[next]; answer !== undefined && answer < sent; answer = answers[++next]) {
      end(answer, answer);
    }
    waitingSince ??= sent;
  }
  const last = answers.at(-1);
  for (const answer of answers.slice(next)) end(answer, answer);
  const lastSent = asked.at(-1)?.sent ?? 0;
  if (waitingSince !== undefined && (last === undefined || lastSent > last)) end(lastSent, undefined);
  return { longest, until, lost: asked.length - answers.length };

  function end(at: number, back: number | undefined): void {
    if (waitingSince !== undefined && at - waitingSince > longest) {
      longest = at - waitingSince;
      until = back;
    }
    waitingSince = undefined;
  }
}

/** The smallest value that at least `share` of all are not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
