import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipAddressPools, l2Advertisements } from '../../src/kubernetes/config-kinds.ts';
import { services } from '../../src/kubernetes/resource.ts';
import { deployments } from '../../src/lab/cluster/workload-objects.ts';
import { systemNamespace } from '../../src/lab/garpoon-processes.ts';
import { Lab } from '../../src/lab/lab.ts';
import { managementAddress } from '../../src/lab/network/topology.ts';
import { listenIn } from '../../src/lab/process/listen-in.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { netSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';

/** Real speakers with the API server away. The tests build on each other, as an outage does. */
const test = netSuite('lab/api-server-away');

const vip = '198.18.0.100';
const nodes = ['n1', 'n2'];

const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
let lab: Lab;

test.before(async () => {
  const edge = { clock: systemClock, random: systemRandom, log: silentLogger };
  lab = await Lab.start({ ...edge, state, nodes: nodes.length });
  const { client } = lab;
  await client.create(ipAddressPools, {
    metadata: { name: 'lan', namespace: systemNamespace },
    spec: { addresses: ['198.18.0.100-198.18.0.119'] },
  });
  await client.create(l2Advertisements, { metadata: { name: 'lan', namespace: systemNamespace }, spec: {} });
  await client.create(deployments, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'any', ports: [{ containerPort: 80 }] }] },
      },
    },
  } as Parameters<typeof client.create>[1]);
  await client.create(services, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }] },
  });
});
test.after(async () => {
  await lab?.close();
  rmSync(state, { recursive: true });
});

const onNode = async (node: string, argv: readonly string[]) => (await lab.network.exec(node, argv)).stdout;

const isServed = async () =>
  (await lab.network.exec('client', ['curl', '-s', '--max-time', '1', `http://${vip}/`])).status === 0;

/** The node whose MAC address the client gets from ARP; undefined when nobody answers. */
const announcer = async () => {
  const { stdout } = await lab.network.exec('client', ['arping', '-r', '-C', '1', '-w', '1', '-i', 'eth0', vip]);
  return /^02:18:00:00:00:1([1-9])$/.exec(stdout.trim())?.[1]?.replace(/^/, 'n');
};

const stateAge = async (node: string) => {
  const metrics = await onNode(node, ['curl', '-s', '--max-time', '1', 'http://127.0.0.1:9122/metrics']);
  return Number(/^garpoon_state_age_seconds (\S+)$/m.exec(metrics)?.[1]);
};

const isReady = async (node: string) =>
  (await onNode(node, ['curl', '-s', '--max-time', '1', 'http://127.0.0.1:17473/readyz'])) === 'ok\n';

const fileOf = (node: string) => join(lab.directory.path, 'disks', node, 'garpoon', 'speaker.state');

let first: string;

test('every speaker keeps what it knows on its node, for nobody else to read', async () => {
  await eventually('the client is served', isServed, 20_000);
  first = await eventually('a node answers ARP', announcer);
  for (const node of nodes) {
    const isSaved = () => {
      const text = readFileSync(fileOf(node), 'utf8');
      return text.includes(`"${vip}"`) && text.includes('"ready":true') && !text.includes('"ready":false');
    };
    await eventually(`${node} has saved the address and where it leads`, isSaved);
    assert.equal(statSync(fileOf(node)).mode & 0o777, 0o600);
    assert.equal(await stateAge(node), 0);
  }
}, 60_000);

test('with the API server away and every speaker killed and started again, the client is served by the same node', async () => {
  await lab.api.close();
  for (const node of nodes) await lab.garpoon.kill(node);
  assert.equal(await announcer(), undefined);
  for (const node of nodes) await lab.garpoon.start(node);
  await eventually('a node answers ARP', announcer, 20_000);
  for (const node of nodes) await eventually(`${node} is ready`, () => isReady(node), 20_000);
  await eventually('the node of before answers', async () => (await announcer()) === first);
  await eventually('the client is served', isServed);
  for (const node of nodes) assert.ok((await stateAge(node)) > 0, `the state of ${node} has an age`);
}, 60_000);

test('with the API server still away, a node that dies is succeeded by the other', async () => {
  const other = nodes.find((node) => node !== first);
  await lab.garpoon.kill(first);
  await eventually('the other node answers', async () => (await announcer()) === other, 20_000);
  await lab.garpoon.start(first);
  await eventually('the node of before answers', async () => (await announcer()) === first, 20_000);
}, 60_000);

test('when the API server is back, the client is still served and nothing has an age', async () => {
  await lab.api.listen(await listenIn(lab.network.namespace('management'), { host: managementAddress, port: 6443 }));
  for (const node of nodes) await eventually(`${node} is live`, async () => (await stateAge(node)) === 0, 40_000);
  assert.equal(await announcer(), first);
  await eventually('the client is served', isServed);
}, 60_000);
