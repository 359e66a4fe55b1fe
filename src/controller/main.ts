import { hostname } from 'node:os';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { systemClock } from '../runtime/clock.ts';
import { systemRandom } from '../runtime/random.ts';
import { systemUptime } from '../runtime/uptime.ts';
import { runDaemon } from '../telemetry/daemon.ts';
import { Controller } from './controller.ts';
import { flags } from './flags.ts';
import { Replica } from './replica.ts';

/** MetalLB's controller has no Lease, so the name is ours. */
const leaseName = 'garpoon-controller';

/** `garpoon controller`: runs until SIGTERM or SIGINT; resolves to the exit code. */
export function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runDaemon('controller', flags, argv, env, (values, log) => {
    const client = clientFromKubeConfig({ path: values.kubeconfig, clock: systemClock });
    const edge = { clock: systemClock, random: systemRandom, log };
    const { namespace, 'lb-class': loadBalancerClass } = values;
    const worker = (writer: typeof client) => new Controller({ client: writer, namespace, loadBalancerClass, ...edge });
    const daemon =
      values['leader-elect'] === 'false'
        ? worker(client)
        : new Replica({
            client,
            lease: `${namespace}/${leaseName}`,
            identity: `${values['pod-name'] || hostname()}_${Buffer.from(systemRandom.bytes(8)).toString('hex')}`,
            uptime: systemUptime,
            worker,
            ...edge,
          });
    return {
      start: () => daemon.start(),
      unready: () => daemon.unready(),
      async stop() {
        await daemon.stop();
        client.close();
      },
    };
  });
}
