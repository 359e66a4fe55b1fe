import { type DropReason, dropReasons } from './malformed.ts';

/** Everything counted since the member was made. Only ever grows. */
export type Counters = {
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** Packets that did not even leave. */
  readonly packetsUnsent: number;
  /** Messages of applications, whole ones. */
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Those sent over a stream that did not get through, and those for which there was no room. */
  readonly messagesUnsent: number;
  readonly probes: number;
  readonly probesMissed: number;
  /** Times that others accused us and we objected. */
  readonly refutations: number;
  /** Times that our own timers fired late and running probes were voided. */
  readonly stalls: number;
  /** What peers sent and was not acted upon, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
};

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export type WritableCounters = Writable<Omit<Counters, 'dropped'>> & { dropped: Writable<Counters['dropped']> };

export function newCounters(): WritableCounters {
  return {
    packetsReceived: 0,
    packetsSent: 0,
    packetsUnsent: 0,
    messagesReceived: 0,
    messagesSent: 0,
    messagesUnsent: 0,
    probes: 0,
    probesMissed: 0,
    refutations: 0,
    stalls: 0,
    dropped: Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>,
  };
}
