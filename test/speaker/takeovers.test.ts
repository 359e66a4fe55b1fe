import assert from 'node:assert/strict';
import { type Address, formatAddress, parseAddress } from '../../src/ip/address.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Takeovers } from '../../src/speaker/takeovers.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/takeovers');

const address = (text: string) => parseAddress(text)!;
const noon = Date.UTC(2026, 0, 2, 12);

/** On node-a, with the Services web and dns, and what was observed in words: `lost announced 0.3`. */
function scene() {
  const clock = new FakeClock(noon);
  const log = new RecordedLog();
  const services = new Store<Service>({ log: silentLogger });
  for (const name of ['web', 'dns']) services.set({ metadata: { name, namespace: 'default' }, spec: {} });
  const observed: string[] = [];
  const told: string[] = [];
  const changed: string[] = [];
  const takeovers = new Takeovers({
    node: 'node-a',
    services,
    events: {
      record: ({ metadata }, { type, reason, message }) =>
        void told.push(`${type} ${reason} ${metadata.name}: ${message}`),
    },
    metrics: { takeover: (phase, cause, seconds) => void observed.push(`${cause} ${phase} ${seconds}`) },
    onChange: (keys) => void changed.push(...keys),
    clock,
    log,
  });
  const elect = (service: string, texts: string, previous?: string) =>
    takeovers.elected(`default/${service}`, texts.split(' ').map(address), () => previous);
  const announce = (...texts: readonly string[]) => takeovers.changed({ announced: texts.map(address), withdrawn: [] });
  const withdraw = (...texts: readonly string[]) => takeovers.changed({ announced: [], withdrawn: texts.map(address) });
  return { takeovers, clock, log, observed, told, changed, elect, announce, withdraw };
}

type Scene = ReturnType<typeof scene>;

for (const [cause, prepare, previous, times, message] of [
  [
    'lost',
    ({ takeovers }: Scene) => takeovers.lost('node-b'),
    'node-b',
    [0.312, 0.326],
    'took over 192.0.2.10 from node-b, which was lost 312 ms before; announced after 14 ms',
  ],
  [
    'handover',
    ({ takeovers }: Scene) => takeovers.handsOver('node-b'),
    'node-b',
    [0.312, 0.326],
    'took over 192.0.2.10 from node-b, which began to hand over 312 ms before; announced after 14 ms',
  ],
  [
    'handover',
    ({ takeovers }: Scene) => {
      takeovers.handsOver('node-b');
      takeovers.lost('node-b');
    },
    'node-b',
    [0.312, 0.326],
    'took over 192.0.2.10 from node-b, which began to hand over 312 ms before; announced after 14 ms',
  ],
  [
    'failback',
    ({ takeovers }: Scene) => {
      takeovers.lost('node-b');
      takeovers.isWell('node-b');
    },
    'node-b',
    [0, 0.014],
    'took over 192.0.2.10 from node-b, which gave it up for this node; announced after 14 ms',
  ],
  ['new', () => {}, undefined, [0, 0.014], undefined],
  ['new', () => {}, 'node-a', [0, 0.014], undefined],
] as const) {
  test(`a takeover by ${cause} is timed from its cause, and told: ${message ?? 'not at all'}`, async () => {
    const at = scene();
    at.takeovers.settle();
    prepare(at);
    await at.clock.advance(312);
    at.elect('web', '192.0.2.10', previous);
    await at.clock.advance(14);
    at.announce('192.0.2.10');
    assert.deepEqual(at.observed, [`${cause} elected ${times[0]}`, `${cause} announced ${times[1]}`]);
    assert.deepEqual(at.told, message === undefined ? [] : [`Normal TookOver web: ${message}`]);
    const { since, takeover } = at.takeovers.holding(address('192.0.2.10'))!;
    assert.equal(since, noon + 326);
    assert.equal(takeover?.previousOwner, previous === 'node-a' ? undefined : previous);
  });
}

test('what is found at the start is told of only where another node had it', async () => {
  const { takeovers, observed, told, elect, announce } = scene();
  takeovers.lost('node-b');
  elect('web', '192.0.2.10');
  elect('dns', '192.0.2.11', 'node-b');
  announce('192.0.2.10', '192.0.2.11');
  takeovers.settle();
  assert.ok(observed.every((one) => one.startsWith('start ')));
  assert.deepEqual(told, [
    'Normal TookOver dns: took over 192.0.2.11 from node-b, when this speaker started; announced after 0 ms',
  ]);
});

test('a loss that is long ago is not why an address comes here now', async () => {
  const { takeovers, clock, observed, elect, announce } = scene();
  takeovers.settle();
  takeovers.lost('node-b');
  await clock.advance(60_000);
  elect('web', '192.0.2.10', 'node-b');
  announce('192.0.2.10');
  assert.deepEqual(observed, ['new elected 0', 'new announced 0']);
});

test('what is announced already is not taken over again, however often it is decided', async () => {
  const { takeovers, clock, observed, elect, announce, withdraw } = scene();
  takeovers.settle();
  for (let i = 0; i < 3; i++) elect('web', '192.0.2.10', 'node-b');
  announce('192.0.2.10');
  await clock.advance(1_000);
  elect('web', '192.0.2.10', 'node-c');
  elect('dns', '192.0.2.10', 'node-c');
  assert.equal(observed.length, 2);
  assert.equal(takeovers.holding(address('192.0.2.10'))?.takeover?.previousOwner, 'node-b');
  withdraw('192.0.2.10');
  assert.equal(takeovers.holding(address('192.0.2.10')), undefined);
  // Held for a while, and never another's.
  announce('192.0.2.10');
  assert.deepEqual(takeovers.holding(address('192.0.2.10')), {
    since: noon + 1_000,
    takeover: undefined,
    verified: undefined,
  });
});

test('what is not to be announced after all, is no takeover, unless another Service still wants it', () => {
  const { takeovers, observed, told, elect, announce } = scene();
  takeovers.settle();
  takeovers.lost('node-b');
  elect('web', '192.0.2.10 192.0.2.11', 'node-b');
  elect('dns', '192.0.2.11', 'node-b');
  takeovers.unelected('default/web');
  announce('192.0.2.10', '192.0.2.11');
  assert.equal(observed.length, 2);
  assert.deepEqual(
    told.map((one) => one.slice(0, 45)),
    ['Normal TookOver dns: took over 192.0.2.11 fro'],
  );
});

test('the addresses of one Service are told in one event, those of a shared one on each', () => {
  const { takeovers, told, log, elect, announce } = scene();
  takeovers.settle();
  takeovers.lost('node-b');
  elect('web', '192.0.2.10 2001:db8::1', 'node-b');
  elect('dns', '2001:db8::1', 'node-b');
  announce('192.0.2.10', '2001:db8::1');
  const end = 'from node-b, which was lost 0 ms before; announced after 0 ms';
  assert.deepEqual(told, [
    `Normal TookOver web: took over 192.0.2.10, 2001:db8::1 ${end}`,
    `Normal TookOver dns: took over 2001:db8::1 ${end}`,
  ]);
  assert.equal(log.of('addresses taken over').length, 1);
});

test('a thousand addresses that come at once are one line of the log', () => {
  const { takeovers, log, observed, announce } = scene();
  takeovers.settle();
  takeovers.lost('node-b');
  const addresses: readonly Address[] = Array.from({ length: 1_000 }, (_, i) => ({ family: 4, value: BigInt(i) }));
  for (const [i, one] of addresses.entries()) takeovers.elected(`default/${i}`, [one], () => 'node-b');
  announce(...addresses.map(formatAddress));
  assert.equal(observed.length, 2_000);
  const [line, ...others] = log.of('addresses taken over');
  assert.deepEqual([line?.count, others.length], [1_000, 0]);
  assert.equal((line?.addresses as readonly string[] | undefined)?.length, 8);
});

test('a verified takeover is timed once, and the latest verification is known', async () => {
  const { takeovers, clock, observed, changed, elect, announce } = scene();
  takeovers.settle();
  takeovers.lost('node-b');
  elect('web', '192.0.2.10', 'node-b');
  announce('192.0.2.10');
  observed.length = 0;
  await clock.advance(250);
  takeovers.verified(address('192.0.2.10'), 'node-c', '02:00:00:00:00:0a');
  await clock.advance(250);
  takeovers.verified(address('192.0.2.10'), 'node-d', '02:00:00:00:00:0a');
  takeovers.verified(address('192.0.2.11'), 'node-d', '02:00:00:00:00:0a');
  assert.deepEqual(observed, ['lost verified 0.25']);
  assert.deepEqual(changed, ['default/web', 'default/web']);
  assert.deepEqual(takeovers.holding(address('192.0.2.10'))?.verified, {
    at: noon + 500,
    by: 'node-d',
    mac: '02:00:00:00:00:0a',
  });
});
