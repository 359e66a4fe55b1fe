import { hostname } from 'node:os';
import type { ApiClient } from '../kubernetes/client.ts';
import { Configuration } from '../kubernetes/configuration.ts';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { systemClock } from '../runtime/clock.ts';
import { systemRandom } from '../runtime/random.ts';
import { systemUptime } from '../runtime/uptime.ts';
import { runDaemon } from '../telemetry/daemon.ts';
import { Controller } from './controller.ts';
import { ControllerMetrics } from './controller-metrics.ts';
import { flags } from './flags.ts';
import { Replica, termOf } from './replica.ts';
import { Webhooks } from './webhooks.ts';

/** MetalLB's controller has no Lease, so the name is ours. */
const leaseName = 'garpoon-controller';

/** `garpoon controller`: runs until SIGTERM or SIGINT; resolves to the exit code. */
export function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runDaemon('controller', flags, argv, env, (values, log, metrics) => {
    const client = clientFromKubeConfig({ path: values.kubeconfig, clock: systemClock });
    const edge = { clock: systemClock, random: systemRandom, log };
    const numbers = new ControllerMetrics(metrics);
    const options = {
      ...edge,
      client,
      namespace: values.namespace,
      loadBalancerClass: values['lb-class'],
      deckhouse: values.deckhouse,
      podName: values['pod-name'],
    };
    // Of every replica, for its webhooks. The leader reads the configuration anew, with all else.
    const configuration = new Configuration(options);
    const isWanted = values['webhook-mode'] === 'enabled';
    const webhooks = isWanted ? new Webhooks({ ...options, configuration, flags: values }) : undefined;
    const worker = (writer: ApiClient) =>
      termOf(numbers.observe(new Controller({ ...options, client: writer })), webhooks?.upkeep(writer));
    const daemon =
      values['leader-elect'] === 'false'
        ? worker(client)
        : new Replica({
            ...edge,
            client,
            lease: `${values.namespace}/${leaseName}`,
            identity: `${values['pod-name'] || hostname()}_${Buffer.from(systemRandom.bytes(8)).toString('hex')}`,
            uptime: systemUptime,
            worker,
          });
    return {
      async start() {
        if (isWanted) configuration.start();
        // The first certificate is made by a leader, who need not be this one.
        await Promise.all([webhooks?.start(), daemon.start()]);
      },
      unready: () => [...daemon.unready(), ...(webhooks?.unready() ?? [])],
      async stop() {
        await daemon.stop();
        await webhooks?.stop();
        await configuration.stop();
        client.close();
      },
    };
  });
}
