// A candidate in a process of its own: as long as it leads it writes its name into a ConfigMap, as fast as it can.
import { mergePatch } from '../../src/kubernetes/apply.ts';
import { ApiClient } from '../../src/kubernetes/client.ts';
import type { Fence } from '../../src/kubernetes/fence.ts';
import { LeaderElection } from '../../src/kubernetes/leader-election.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { untilAskedToStop } from '../../src/runtime/signals.ts';
import { systemUptime } from '../../src/runtime/uptime.ts';
import { configMaps } from './config-maps.ts';

const [server = '', lease = '', journal = '', identity = ''] = process.argv.slice(2);
const client = new ApiClient({ server, clock: systemClock });
const election = new LeaderElection({
  client,
  lease,
  identity,
  onElected: (term) => void write(term),
  clock: systemClock,
  uptime: systemUptime,
  random: systemRandom,
  log: silentLogger,
  timing: { leaseDuration: 2_000, renewDeadline: 1_400, retryPeriod: 300 },
});

/** It never asks whether it leads, and takes a while to give up: to hold it back is the fence's work. */
async function write(term: Fence): Promise<void> {
  const writer = client.fencedBy(term);
  for (let count = 0, refused = 0; refused < 100; count++) {
    const data = { writer: identity, count: String(count) };
    const written = mergePatch(writer, configMaps, journal, { data });
    refused = await written.then(
      () => 0,
      () => refused + 1,
    );
  }
}

election.start();
await untilAskedToStop();
await election.stop();
client.close();
