import type { FlagSet } from '../runtime/flags.ts';
import { daemonFlags, healthFlags, metricsFlags } from '../telemetry/daemon.ts';
import { webhookFlags } from './webhook-flags.ts';

export const flags = {
  ...daemonFlags,
  ...healthFlags('', '17472'),
  ...metricsFlags('9120'),
  'leader-elect': {
    kind: 'text',
    help: 'work only as the leader of all replicas; false: this is the only controller of the cluster',
    default: 'true',
    oneOf: ['true', 'false'],
  },
  'pod-name': { kind: 'text', help: 'name of this Pod', env: 'METALLB_POD_NAME', default: '' },
  ...webhookFlags,
} as const satisfies FlagSet;
