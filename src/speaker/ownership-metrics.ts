import type { Metrics } from '../telemetry/metrics.ts';

/** Why this node has come to an address. */
export type TakeoverCause = 'lost' | 'handover' | 'failback' | 'new' | 'start';
export type TakeoverPhase = 'elected' | 'announced' | 'verified';
/** Who claims an address that this node announces, too. */
export type ConflictKind = 'speaker' | 'stranger';
/** What another speaker was answered when it asked the LAN who has an address that this node has taken over. */
export type VerificationOutcome = 'verified' | 'unanswered' | 'others';

/** What is counted about who owns an address. */
export type OwnershipMetrics = {
  takeover(phase: TakeoverPhase, cause: TakeoverCause, seconds: number): void;
  conflict(kind: ConflictKind): void;
  verification(outcome: VerificationOutcome): void;
};

/** Counts nothing. */
export const noOwnershipMetrics: OwnershipMetrics = { takeover() {}, conflict() {}, verification() {} };

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const causes: Readonly<Record<TakeoverCause, string>> = {
  lost: 'the node that had the address was lost',
  handover: 'it hands over',
  failback: 'it is well, and gave the address up for this node',
  new: 'no other node had the address',
  start: 'found when this speaker started',
};

export function ownershipMetrics(metrics: Metrics): OwnershipMetrics {
  const meanings = Object.entries(causes).map(([cause, meaning]) => `${cause}: ${meaning}`);
  const takeovers = metrics.histogram(
    {
      name: 'garpoon_takeover_seconds',
      help: `From the cause of a takeover until it has come to a phase, by address (${meanings.join('; ')})`,
      labels: ['phase', 'cause'],
    },
    buckets,
  );
  const conflicts = metrics.counter({
    name: 'garpoon_conflicts_total',
    help: 'Addresses of ours that another host was found to claim, by who that is',
    labels: ['kind'],
  });
  const verifications = metrics.counter({
    name: 'garpoon_takeover_verifications_total',
    help:
      'Takeovers after which another speaker asked the LAN who has the address, by who answered (verified: this node ' +
      'alone; unanswered: nobody; others: also or only somebody else)',
    labels: ['outcome'],
  });
  return {
    takeover: (phase, cause, seconds) => takeovers.observe({ phase, cause }, seconds),
    conflict: (kind) => conflicts.increase({ kind }),
    verification: (outcome) => verifications.increase({ outcome }),
  };
}
