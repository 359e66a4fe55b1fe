import { configurationStates } from '../../src/kubernetes/config-kinds.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('speaker/configuration-state');

function says(cluster: TestCluster, node: string, result: string | undefined): Promise<unknown> {
  return eventually(`speaker-${node} is ${result}`, async () => {
    return (await cluster.client.get(configurationStates, `${system}/speaker-${node}`))?.status?.result === result;
  });
}

test(
  'each speaker says for itself whether it takes the configuration, also while it cannot start',
  inWorld(['node-a', 'node-b'], async (world, cluster) => {
    await world.start('node-a');
    await says(cluster, 'node-a', 'Valid');
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await says(cluster, 'node-a', 'Invalid');
    const late = world.station('node-b');
    const started = late.speaker.start();
    await says(cluster, 'node-b', 'Invalid');
    await cluster.removePool('overlapping');
    await started;
    await says(cluster, 'node-a', 'Valid');
    await says(cluster, 'node-b', 'Valid');
  }),
);
