import type { FlagSet } from '../runtime/flags.ts';
import { daemonFlags, healthFlags } from '../telemetry/daemon.ts';

export const flags = { ...daemonFlags, ...healthFlags('', '17472') } as const satisfies FlagSet;
