// A replica of the controller in a process of its own, with a Lease that runs out soon.
//
//   node replica-program.ts SERVER NAMESPACE IDENTITY
import { Controller } from '../../src/controller/controller.ts';
import { Replica } from '../../src/controller/replica.ts';
import { ApiClient } from '../../src/kubernetes/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { untilAskedToStop } from '../../src/runtime/signals.ts';
import { systemUptime } from '../../src/runtime/uptime.ts';

const [server = '', namespace = '', identity = ''] = process.argv.slice(2);
const client = new ApiClient({ server, clock: systemClock });
const edge = { clock: systemClock, random: systemRandom, log: silentLogger };
const replica = new Replica({
  ...edge,
  client,
  lease: `${namespace}/garpoon-controller`,
  identity,
  uptime: systemUptime,
  timing: { leaseDuration: 2_000, renewDeadline: 1_400, retryPeriod: 300 },
  worker: (writer) => new Controller({ ...edge, client: writer, namespace, loadBalancerClass: '' }),
});

const asked = untilAskedToStop();
await Promise.race([replica.start(), asked]);
await asked;
await replica.stop();
client.close();
