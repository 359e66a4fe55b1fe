/** What decides whether a node has only just come back. Times are in milliseconds since 1970. */
export type Beginnings = {
  readonly node: string;
  /** When its speaker began; undefined: not known. */
  readonly startedAt: number | undefined;
  /** When its Node was created; undefined: not known. */
  readonly createdAt: number | undefined;
};

/** Speakers that begin within this time of the first began with it: one rollout, or the power that came back. */
const together = 120_000;
/** A Node this young when its speaker begins has never been away. */
const newcomer = 600_000;
/** A speaker may need this long to hear what the others claim, and they to hear of it: until then it is given nothing. */
export const acquaintance = 2_000;

/**
 * The living nodes that are returning: `balanced` moves nothing to these. Every speaker finds the same, but for
 * clocks. `until` is when the next of them stops to be; undefined when none ever does.
 */
export function returningNodes(
  living: readonly Beginnings[],
  now: number,
  failBackAfter: number | undefined,
): { readonly nodes: ReadonlySet<string>; readonly until: number | undefined } {
  const first = living.reduce((least, { startedAt = Infinity }) => Math.min(least, startedAt), Infinity);
  const nodes = new Set<string>();
  let until: number | undefined;
  for (const { node, startedAt, createdAt = -Infinity } of living) {
    if (startedAt === undefined || startedAt === first) continue;
    const wasThere = startedAt - first <= together || startedAt - createdAt <= newcomer;
    const wait = wasThere ? acquaintance : failBackAfter;
    if (wait !== undefined) {
      const end = startedAt + Math.max(acquaintance, wait);
      if (end <= now) continue;
      until = Math.min(until ?? end, end);
    }
    nodes.add(node);
  }
  return { nodes, until };
}
