import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { systemClock } from '../runtime/clock.ts';
import { systemRandom } from '../runtime/random.ts';
import { runDaemon } from '../telemetry/daemon.ts';
import { Controller } from './controller.ts';
import { flags } from './flags.ts';

/** `garpoon controller`: runs until SIGTERM or SIGINT; resolves to the exit code. */
export function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runDaemon('controller', flags, argv, env, (values, log) => {
    const client = clientFromKubeConfig({ path: values.kubeconfig, clock: systemClock });
    const controller = new Controller({
      client,
      namespace: values.namespace,
      loadBalancerClass: values['lb-class'],
      clock: systemClock,
      random: systemRandom,
      log,
    });
    return {
      start: () => controller.start(),
      unready: () => controller.unready(),
      async stop() {
        await controller.stop();
        client.close();
      },
    };
  });
}
