/** That a node was seen to say that it has an address: as an answer, or as an announcement to everyone. */
export type Sighting = {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Index of the address. */
  readonly target: number;
  readonly mac: string;
  readonly kind: 'answer' | 'announcement';
};

/** Another one answers for an address than did before. */
export type Move = { readonly at: number; readonly target: number; readonly from: string; readonly to: string };

/** Pure: how many addresses somebody else has answered for than the first who did. */
export function movedAddresses(sightings: readonly Sighting[]): number {
  return new Set(moves(sightings).map(({ target }) => target)).size;
}

/** Pure: the longest time between two answers for an address, by its index, in milliseconds. */
export function longestSilence(sightings: readonly Sighting[]): ReadonlyMap<number, number> {
  const longest = (answers: readonly Sighting[]) =>
    Math.max(0, ...answers.slice(1).map(({ at }, i) => at - answers[i]!.at));
  return new Map([...answersByTarget(sightings)].map(([target, answers]) => [target, longest(answers)]));
}

/** Pure: every change of who answers for an address, addresses apart, each in the order of time. */
export function moves(sightings: readonly Sighting[]): readonly Move[] {
  return [...answersByTarget(sightings).values()].flatMap((answers) =>
    answers.flatMap(({ at, target, mac }, i) => {
      const from = answers[i - 1]?.mac;
      return from === undefined || from === mac ? [] : [{ at, target, from, to: mac }];
    }),
  );
}

/**
 * Pure: for how many whole seconds, counted from `since` on, an address had two owners, of the address that had most. An
 * address that moves within a second changes its owner once; two owners take turns in answering.
 */
export function contestedSeconds(sightings: readonly Sighting[], since: number): number {
  const turns = new Map<number, Map<number, number>>(); // address -> second -> changes of owner
  for (const { at, target } of moves(sightings)) {
    if (at < since) continue;
    const second = Math.floor((at - since) / 1000);
    const seconds = turns.get(target) ?? new Map<number, number>();
    turns.set(target, seconds.set(second, (seconds.get(second) ?? 0) + 1));
  }
  const contested = [...turns.values()].map((seconds) => [...seconds.values()].filter((changes) => changes > 1).length);
  return Math.max(0, ...contested);
}

/**
 * Pure: for how long after `since` more than one answers for an address, in milliseconds, of the address for which that
 * takes longest. Zero where the owner changes once at most, for that is a move.
 */
export function contestedFor(sightings: readonly Sighting[], since: number): number {
  const later = Map.groupBy(
    moves(sightings).filter(({ at }) => at >= since),
    ({ target }) => target,
  );
  const ends = [...later.values()].map((changes) => (changes.length > 1 ? changes.at(-1)!.at - since : 0));
  return Math.max(0, ...ends);
}

function answersByTarget(sightings: readonly Sighting[]): ReadonlyMap<number, readonly Sighting[]> {
  return Map.groupBy(
    sightings.filter(({ kind }) => kind === 'answer').toSorted((a, b) => a.at - b.at),
    ({ target }) => target,
  );
}
