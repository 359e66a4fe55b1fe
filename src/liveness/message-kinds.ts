/** The first byte of a message between speakers in the ring. A speaker ignores kinds that it does not know. */
export const messageKind = {
  /** What a node tells of itself: src/speaker/node-report.ts. */
  report: 1,
  /** Whom the sender has lost his session with: src/liveness/liveness.ts. */
  lost: 2,
  /** What the LAN answered: src/speaker/verification-message.ts. */
  verified: 3,
} as const;
