import type { FlagSet } from '../runtime/flags.ts';
import { daemonFlags, healthFlags, metricsFlags } from '../telemetry/daemon.ts';

export const flags = {
  ...daemonFlags,
  ...healthFlags('', '17472'),
  ...metricsFlags('9120'),
} as const satisfies FlagSet;
