import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import type { Node } from '../../src/kubernetes/core.ts';
import { nodes } from '../../src/kubernetes/resource.ts';
import type { RouterSpeaker } from '../../src/speaker/speaker.ts';
import { suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

/** Why a speaker stops decides what routers are told. */
const test = suite('speaker/leaving-routers');

class FakeRouterSpeaker implements RouterSpeaker {
  readonly calls: string[] = [];
  looks = 0;

  async start(): Promise<void> {
    this.calls.push('start');
  }

  async stop(how: string): Promise<void> {
    this.calls.push(how);
  }

  *announced() {
    yield { service: 'default/web', protocol: 'bgp', node: 'node-a', ip: '192.0.2.1' } as const;
  }

  linksChanged(): void {
    this.looks += 1;
  }
}

type Marks = {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly taints?: readonly string[];
  readonly conditions?: NonNullable<NonNullable<Node['status']>['conditions']>;
};

const exclude = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
const notReady = [{ type: 'Ready', status: 'False' }] as const;

for (const [what, willReturn, marks, kind] of [
  ['one that comes back restarts', true, {}, 'restart'],
  ['one that does not come back drains', false, {}, 'drain'],
  [
    'one of a drained node drains, even if it comes back',
    true,
    { annotations: { 'garpoon.io/drain': 'true' } },
    'drain',
  ],
  ['one of an excluded node drains, even if it comes back', true, { labels: exclude }, 'drain'],
  ['one of a node of no weight restarts', true, { annotations: { 'garpoon.io/weight': '0' } }, 'restart'],
  ['one of a node that goes down says goodbye at once', true, { conditions: notReady }, 'hard'],
  ['so does one of a drained node that goes down', false, { labels: exclude, conditions: notReady }, 'hard'],
  ['so does one of a node that is not ready', true, { taints: ['node.kubernetes.io/not-ready'] }, 'hard'],
  ['so does one of a node out of service', true, { taints: ['node.kubernetes.io/out-of-service'] }, 'hard'],
  [
    'so does one of a node without a network',
    true,
    { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] },
    'hard',
  ],
] as const satisfies readonly (readonly [string, boolean, Marks, string])[]) {
  test(
    `of the speakers that stop, ${what}`,
    inWorld(['node-a'], async (world, cluster) => {
      const { labels = {}, annotations = {}, taints = [], conditions = [] }: Marks = marks;
      const spec = { taints: taints.map((key) => ({ key, effect: 'NoExecute' })) };
      await cluster.change(nodes, 'node-a', (node) => ({
        ...node,
        metadata: { ...node.metadata, labels, annotations },
        spec,
      }));
      await updateStatus(cluster.client, nodes, 'node-a', (node) => ({ ...node, status: { conditions } }));
      const routers = new FakeRouterSpeaker();
      const { speaker } = await world.start('node-a', { bgp: () => routers, willReturn: async () => willReturn });
      await speaker.stop();
      assert.deepEqual(routers.calls, ['start', kind]);
    }),
  );
}

test(
  'a speaker that has not begun, or whose Node is gone, leaves nothing behind',
  inWorld([], async (world) => {
    const [early, lost] = [new FakeRouterSpeaker(), new FakeRouterSpeaker()];
    const willReturn = async () => true;
    await world.station('node-a', { bgp: () => early, willReturn }).speaker.stop();
    assert.deepEqual(early.calls, ['hard']);
    const { speaker } = await world.start('node-a', { bgp: () => lost, willReturn });
    await speaker.stop();
    assert.deepEqual(lost.calls, ['start', 'hard']);
  }),
);

test(
  'what routers are told is announced as well, and they are looked for when links change',
  inWorld(['node-a'], async (world) => {
    const routers = new FakeRouterSpeaker();
    const { speaker } = await world.start('node-a', { bgp: () => routers });
    assert.deepEqual([...speaker.announced()], [...routers.announced()]);
    speaker.linksChanged();
    assert.equal(routers.looks, 1);
  }),
);
