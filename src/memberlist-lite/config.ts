/**
 * Settings of one member. All durations are milliseconds. Timings are local: members of one ring may differ freely,
 * only keys, label and versions must match.
 */
export type Config = {
  /** Time between two probes by this member, and the shortest wait before it suspects anyone. */
  readonly probeInterval: number;
  /** How long a direct answer may take before others are asked to try. */
  readonly probeTimeout: number;
  /** How many others are asked. */
  readonly indirectChecks: number;
  readonly tcpPings: boolean;
  /** Awareness, the factor by which a probe of an unwell member is stretched, stays below this. */
  readonly awarenessMaxMultiplier: number;

  readonly suspicionMult: number;
  /** How many times longer a suspicion lasts that nobody else confirms. */
  readonly suspicionMaxTimeoutMult: number;
  /** Sends an own verdict to every member at once instead of leaving it to gossip. */
  readonly announceVerdicts: boolean;
  /** A timer that fires this much late means that we stalled, not our peers: see stall-guard.ts. */
  readonly stallTolerance: number;

  readonly gossipInterval: number;
  readonly gossipNodes: number;
  /** How long the dead are still told things, so that they can object; then they are forgotten. */
  readonly gossipToTheDeadTime: number;
  readonly retransmitMult: number;
  /** Compress packets when that makes them shorter, and all streams. What arrives is understood either way. */
  readonly compression: boolean;
  /** Bytes of one packet. */
  readonly packetBudget: number;

  readonly pushPullInterval: number;
  /** Deadline of a stream, connecting included. */
  readonly tcpTimeout: number;

  /** After this time a dead name may come back at another address. 0: only after it was forgotten. */
  readonly deadNodeReclaimTime: number;
  /** Set on every member or on none; empty for none. MetalLB uses none. */
  readonly label: string;
  /** False lets plain traffic in although keys are set, and false lets it out: for switching a live ring. */
  readonly verifyIncoming: boolean;
  readonly verifyOutgoing: boolean;
  /** What we speak, of 1 to 5. All but very old members speak 2; 1 has no ports and pads what it encrypts. */
  readonly protocolVersion: 1 | 2 | 3 | 4 | 5;
  /** Delegate protocol versions: minimum, maximum, current. Zero for MetalLB; Serf wants 2, 5, 4. */
  readonly delegateVersions: readonly [number, number, number];
};

/** HashiCorp's DefaultLANConfig, which is what MetalLB runs. */
export const lan: Config = {
  probeInterval: 1000,
  probeTimeout: 500,
  indirectChecks: 3,
  tcpPings: true,
  awarenessMaxMultiplier: 8,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  announceVerdicts: false,
  stallTolerance: 250,
  gossipInterval: 200,
  gossipNodes: 3,
  gossipToTheDeadTime: 30_000,
  retransmitMult: 4,
  compression: true,
  packetBudget: 1400,
  pushPullInterval: 30_000,
  tcpTimeout: 10_000,
  deadNodeReclaimTime: 0,
  label: '',
  verifyIncoming: true,
  verifyOutgoing: true,
  protocolVersion: 2,
  delegateVersions: [0, 0, 0],
};

/** HashiCorp's DefaultWANConfig. */
export const wan: Config = {
  ...lan,
  probeInterval: 5000,
  probeTimeout: 3000,
  suspicionMult: 6,
  stallTolerance: 1500,
  gossipInterval: 500,
  gossipNodes: 4,
  gossipToTheDeadTime: 60_000,
  pushPullInterval: 60_000,
  tcpTimeout: 30_000,
};

/** HashiCorp's DefaultLocalConfig. */
export const local: Config = {
  ...lan,
  probeTimeout: 200,
  indirectChecks: 1,
  suspicionMult: 3,
  stallTolerance: 100,
  gossipInterval: 100,
  gossipToTheDeadTime: 15_000,
  retransmitMult: 2,
  pushPullInterval: 15_000,
  tcpTimeout: 1000,
};

/**
 * Our default: one LAN, a silent crash noticed by all within about 1.3 s among three such members. Costs five probes
 * a second. Only timers differ from `lan`, and that nothing is compressed, so it mixes with members that run `lan`. The
 * factor of 2 for unconfirmed suspicions keeps one fast member among slow ones from waiting for confirmations that come
 * a second apart.
 */
export const fast: Config = {
  ...lan,
  probeInterval: 200,
  probeTimeout: 100,
  suspicionMaxTimeoutMult: 2,
  announceVerdicts: true,
  stallTolerance: 50,
  gossipInterval: 50,
  compression: false,
  tcpTimeout: 1000,
};

export const presets = { lan, wan, local, fast } as const;

/** Names, addresses, application data, keys or labels that our own side chose and that cannot work. */
export class ConfigError extends Error {
  readonly code: 'NAME' | 'ADDRESS' | 'META' | 'LABEL' | 'NO_KEY' | 'KEY_LENGTH' | 'PRIMARY_KEY';

  constructor(message: string, code: ConfigError['code']) {
    super(message);
    this.name = 'ConfigError';
    this.code = code;
  }
}
