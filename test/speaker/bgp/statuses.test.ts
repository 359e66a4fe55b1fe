import assert from 'node:assert/strict';
import type { SessionStatus } from '../../../src/bgp/session-status.ts';
import { newSessionCounters } from '../../../src/bgp/session-status.ts';
import { parseAddress } from '../../../src/ip/address.ts';
import { bgpSessionStatuses, serviceBGPStatuses } from '../../../src/kubernetes/config-kinds.ts';
import type { Pod } from '../../../src/kubernetes/core.ts';
import { pods } from '../../../src/kubernetes/resource.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { PeerFacts } from '../../../src/speaker/bgp/session-status-content.ts';
import { bgpSessionStatusesOf, serviceBGPStatusesOf } from '../../../src/speaker/bgp/statuses.ts';
import { impatient, system, TestCluster } from '../../support/cluster.ts';
import { eventually, suite } from '../../support/suite.ts';
import { sha256 } from '../support.ts';

const test = suite('speaker/bgp/statuses');

let cluster: TestCluster;
let stopping: AbortController;
test.before.each(async () => {
  cluster = await TestCluster.start();
  stopping = new AbortController();
  const spec = { containers: [{ name: 'speaker', image: 'x' }] };
  await cluster.put(pods, { metadata: { name: 'speaker-a', namespace: system }, spec } as Pod);
});
test.after.each(() => cluster.stop());

const options = () => ({
  client: cluster.newClient(),
  node: 'a',
  namespace: system,
  podName: 'speaker-a',
  hash: sha256,
  signal: stopping.signal,
  clock: systemClock,
  random: impatient,
  log: silentLogger,
});

const up: SessionStatus = {
  state: 'Established',
  since: 1_000,
  establishedAt: 1_000,
  flaps: 2,
  peerAsn: 64_500,
  peerRouterId: 0xc0000201,
  holdTime: 9,
  keepaliveTime: 3,
  families: [4, 6],
  capabilities: { ours: ['route refresh'], theirs: [] },
  announced: { 4: 3, 6: 1 },
  pending: { 4: 0, 6: 0 },
  withheld: {},
  received: { 4: 7, 6: 0 },
  counters: newSessionCounters(),
  nextAttempt: 5,
  localAddress: parseAddress('198.18.1.2'),
  remoteAddress: parseAddress('198.18.1.1'),
};
const facts = (peer: string, session: SessionStatus | undefined, more: Partial<PeerFacts> = {}): PeerFacts => {
  return {
    peer,
    peerAddress: '198.18.1.1',
    localAsn: 64_512,
    session,
    problem: undefined,
    since: 0,
    bfd: undefined,
    ...more,
  };
};

const sessionObjects = async () => (await cluster.client.list(bgpSessionStatuses, { namespace: system })).items ?? [];
const serviceObjects = async () => (await cluster.client.list(serviceBGPStatuses, { namespace: system })).items ?? [];

test('a session is told of in an object of its own, which goes with the Pod', async () => {
  const now = new Map([['tor', facts('tor', up)]]);
  const statuses = bgpSessionStatusesOf({ ...options(), factsOf: (peer) => now.get(peer) });
  statuses.start();
  statuses.look('tor');
  const object = await eventually('the session is told', async () => {
    return (await sessionObjects()).find(({ status }) => status?.state === 'Established');
  });
  assert.deepEqual(object.status, {
    node: 'a',
    peer: 'tor',
    state: 'Established',
    since: '1970-01-01T00:00:01.000Z',
    peerAddress: '198.18.1.1',
    peerASN: 64_500,
    peerRouterID: '192.0.2.1',
    localAddress: '198.18.1.2',
    localASN: 64_512,
    holdTimeSeconds: 9,
    keepaliveTimeSeconds: 3,
    families: ['ipv4', 'ipv6'],
    localCapabilities: ['route refresh'],
    peerCapabilities: [],
    prefixes: { announced: { ipv4: 3, ipv6: 1 }, pending: { ipv4: 0, ipv6: 0 }, received: { ipv4: 7, ipv6: 0 } },
    flaps: 2,
  });
  assert.deepEqual(object.metadata.labels, { 'metallb.io/node': 'a', 'garpoon.io/bgp-peer': 'tor' });
  assert.equal(object.metadata.ownerReferences?.[0]?.name, 'speaker-a');
  now.set('tor', facts('tor', { ...up, state: 'Idle', lastError: { text: 'refused', at: 2_000, sent: true } }));
  statuses.look('tor');
  await eventually('the loss is told', async () => {
    const [{ status } = { status: undefined }] = await sessionObjects();
    return status?.state === 'Idle' && status.problem === 'refused' && status.holdTimeSeconds === undefined;
  });
  now.delete('tor');
  statuses.look('tor');
  await eventually('no object is left', async () => (await sessionObjects()).length === 0);
  stopping.abort();
  await statuses.stop();
});

test('a BGPPeer with a name longer than a label is told of like any other', async () => {
  const peer = 'r'.repeat(200);
  const statuses = bgpSessionStatusesOf({ ...options(), factsOf: () => facts(peer, up) });
  statuses.start();
  statuses.look(peer);
  await eventually('the session is told', async () => {
    const objects = await sessionObjects();
    return objects.length === 1 && objects[0]?.status?.peer === peer;
  });
  stopping.abort();
  await statuses.stop();
});

test('without a session it is said what is missing', async () => {
  const problem = 'there is no Secret';
  const statuses = bgpSessionStatusesOf({ ...options(), factsOf: () => facts('tor', undefined, { problem }) });
  statuses.start();
  statuses.look('tor');
  await eventually('the problem is told', async () => {
    const [{ status } = { status: undefined }] = await sessionObjects();
    return status?.state === 'NotStarted' && status.problem === problem && status.peerAddress === '198.18.1.1';
  });
  stopping.abort();
  await statuses.stop();
});

test('to which peers a Service is announced is told as MetalLB tells it, and what an earlier run left goes', async () => {
  const labels = {
    'metallb.io/node': 'a',
    'metallb.io/service-name': 'gone',
    'metallb.io/service-namespace': 'default',
  };
  await cluster.put(serviceBGPStatuses, { metadata: { name: 'bgp-x7', namespace: system, labels }, spec: {} });
  const peers = new Map([['default/web', ['one', 'two']]]);
  const statuses = serviceBGPStatusesOf({ ...options(), peersOf: (service) => peers.get(service) });
  statuses.start();
  statuses.look('default/web');
  await eventually('only what is announced is told', async () => {
    const objects = await serviceObjects();
    return objects.length === 1 && JSON.stringify(objects[0]?.status?.peers) === '["one","two"]';
  });
  const [object] = await serviceObjects();
  assert.deepEqual(object?.status, {
    node: 'a',
    serviceName: 'web',
    serviceNamespace: 'default',
    peers: ['one', 'two'],
  });
  assert.deepEqual(object?.metadata.labels, { ...labels, 'metallb.io/service-name': 'web' });
  peers.set('default/web', []);
  statuses.look('default/web');
  await eventually('nothing is left', async () => (await serviceObjects()).length === 0);
  stopping.abort();
  await statuses.stop();
});
