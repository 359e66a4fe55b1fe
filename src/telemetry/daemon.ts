import { systemClock } from '../runtime/clock.ts';
import { describeFlags, type FlagSet, type FlagValues, parseFlags } from '../runtime/flags.ts';
import type { Logger } from '../runtime/logger.ts';
import { untilAskedToStop } from '../runtime/signals.ts';
import { jsonLogger, type LogLevel, logLevels } from './json-logger.ts';
import { Metrics } from './metrics.ts';
import { healthPages, metricsPages, PageServer } from './page-server.ts';
import { registerProcessMetrics } from './process-metrics.ts';

/** The flags that the controller and the speaker have in common, with MetalLB's names where it has them. */
export const daemonFlags = {
  namespace: {
    kind: 'text',
    help: 'where the configuration resources and the speakers’ Pods are',
    env: 'METALLB_NAMESPACE',
    default: 'metallb-system',
  },
  kubeconfig: { kind: 'text', help: 'kubeconfig file; by default $KUBECONFIG or the service account', optional: true },
  'lb-class': { kind: 'text', help: 'serve only Services with this loadBalancerClass', default: '' },
  deckhouse: {
    kind: 'boolean',
    help: 'read MetalLoadBalancerClass and the other kinds of network.deckhouse.io, too, and serve their classes',
  },
  'log-level': { kind: 'text', help: logLevels.join(', '), default: 'info', oneOf: logLevels },
  help: { kind: 'boolean', help: 'print this' },
} as const satisfies FlagSet;

/** The flags that differ in their defaults. */
export function healthFlags<const Host extends string, const Port extends string>(host: Host, port: Port) {
  return {
    'health-probe-host': { kind: 'text', help: 'address of /healthz and /readyz; empty: every address', default: host },
    'health-probe-port': { kind: 'port', help: 'port of /healthz and /readyz', default: port },
  } as const satisfies FlagSet;
}

export function metricsFlags<const Port extends string>(port: Port) {
  return {
    'metrics-host': { kind: 'text', help: 'address of /metrics; empty: every address', default: '' },
    port: { kind: 'port', help: 'port of /metrics, for Prometheus; 0: no metrics', default: port },
  } as const satisfies FlagSet;
}

type DaemonFlags = typeof daemonFlags & ReturnType<typeof healthFlags> & ReturnType<typeof metricsFlags>;

/** What runs until it is asked to stop. */
export type Daemon = {
  /** Resolves when it is at work. A rejection ends the process. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Why it is not at work yet; empty when it is. */
  unready(): readonly string[];
};

/**
 * A long-running process from its first line to its exit code: flags, JSON log on standard output, health checks,
 * metrics, and an orderly stop on SIGTERM or SIGINT. `build` makes the parts; what it throws is fatal and told in one line.
 */
export async function runDaemon<const S extends DaemonFlags>(
  name: string,
  flags: S,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  build: (values: FlagValues<S>, log: Logger, metrics: Metrics) => Daemon,
): Promise<number> {
  if (argv.includes('--help')) {
    console.log(`usage: garpoon ${name} [FLAGS]\n\n${describeFlags(flags)}`);
    return 0;
  }
  const parsed = parseFlags(flags, argv, env);
  if ('problem' in parsed) {
    console.error(`garpoon ${name}: ${parsed.problem}`);
    return 2;
  }
  const values = parsed.values as FlagValues<S> & FlagValues<DaemonFlags>;
  const asked = untilAskedToStop();
  const log = jsonLogger({
    clock: systemClock,
    level: values['log-level'] as LogLevel,
    write: (line) => process.stdout.write(line),
  });
  let servers: readonly PageServer[] = [];
  let daemon: Daemon | undefined;
  try {
    const metrics = new Metrics(log);
    registerProcessMetrics(metrics, systemClock);
    const built = build(values, log, metrics);
    daemon = built;
    servers = pageServers(values, built, metrics);
    for (const server of servers) await server.listen();
    log.info('starting', { component: name, namespace: values.namespace });
    const started = built.start().then(() => log.info('ready'));
    // A start that fails ends the process. One that is cut short by a signal rejects as well, and nobody minds.
    const signal = await Promise.race([asked, started.then(() => asked)]);
    log.info('stopping', { signal });
    return 0;
  } catch (error) {
    log.error('cannot go on', { error });
    return 1;
  } finally {
    await daemon?.stop();
    for (const server of servers) await server.close();
  }
}

/** Health and metrics, each at its own place, or together where that is one and the same. */
function pageServers(values: FlagValues<DaemonFlags>, daemon: Daemon, metrics: Metrics): readonly PageServer[] {
  const health = { host: values['health-probe-host'], port: values['health-probe-port'] };
  const scrape = { host: values['metrics-host'], port: values.port };
  const checks = healthPages(() => daemon.unready());
  if (scrape.port === 0) return [new PageServer({ purpose: 'health checks', ...health, pages: checks })];
  const numbers = metricsPages(metrics);
  if (scrape.port === health.port && scrape.host === health.host) {
    return [new PageServer({ purpose: 'health checks and metrics', ...health, pages: { ...checks, ...numbers } })];
  }
  return [
    new PageServer({ purpose: 'health checks', ...health, pages: checks }),
    new PageServer({ purpose: 'metrics', ...scrape, pages: numbers }),
  ];
}
