import assert from 'node:assert/strict';
import { fast } from '../../src/memberlist-lite/config.ts';
import { Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import { NodeTransport } from '../../src/memberlist-lite/node-transport.ts';
import type { Endpoint, Stream, TransportHandlers } from '../../src/memberlist-lite/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('memberlist-lite/node-transport');

const deaf: TransportHandlers = { packet() {}, stream() {} };
/** Addresses of their own for each pair, so that tests do not meet. */
const pairs: readonly [name: string, a: Endpoint, b: Endpoint][] = [
  ['IPv4', { address: '127.71.1.1', port: 17946 }, { address: '127.71.1.2', port: 17946 }],
  ['IPv6', { address: '::1', port: 17947 }, { address: '::1', port: 17948 }],
];

for (const [name, a, b] of pairs) {
  test(`two members on real sockets join, and one sees the other leave: ${name}`, async () => {
    const members = [a, b].map((endpoint, i) => member(`node-${i}`, endpoint));
    const [first, second] = members as [Memberlist, Memberlist];
    const events: string[] = [];
    first.onChange(({ type, member: { name: who, state } }) => events.push(`${type} ${who} ${state}`));
    try {
      await Promise.all(members.map((each) => each.start()));
      const peer = b.address.includes(':') ? `[${b.address}]:${b.port}` : `${b.address}:${b.port}`;
      assert.deepEqual(await first.join([peer]), { joined: 1, failed: [] });
      await eventually('both know each other', () => members.every((each) => each.members().length === 2));
      await eventually('both have probed each other', () => members.every((each) => each.counters.probes > 2));
      assert.ok(members.every((each) => each.counters.probesMissed === 0));
      await second.leave();
      await eventually('the farewell arrives', () => events.includes('leave node-1 left'));
    } finally {
      await Promise.all(members.map((each) => each.close()));
    }
  });
}

test('says that nobody listens, and that a name does not resolve', async () => {
  const lone = member('lone', { address: '127.71.2.1', port: 17946 });
  await lone.start();
  const { joined, failed } = await lone.join(['127.71.2.9:1', 'no-such-host.invalid:7946']);
  await lone.close();
  assert.equal(joined, 0);
  assert.deepEqual(
    failed.map(({ error }) => error),
    ['unreachable', 'unreachable'],
  );
});

test('names the address when its port is taken, and leaves nothing open', async () => {
  const endpoint = { address: '127.71.3.1', port: 17946 };
  const holder = new NodeTransport(endpoint);
  await holder.listen(deaf);
  await assert.rejects(new NodeTransport(endpoint).listen(deaf), {
    code: 'LISTEN',
    message: /127\.71\.3\.1 port 17946/,
  });
  await holder.close();
  const next = new NodeTransport(endpoint);
  await next.listen(deaf);
  await next.close();
});

test('replies to a peer that has closed its direction', async () => {
  const endpoint = { address: '127.71.4.1', port: 17946 };
  const transport = new NodeTransport(endpoint);
  await transport.listen({
    packet() {},
    stream: (stream: Stream) =>
      stream.receive({ data() {}, end: () => stream.end(Uint8Array.of(1, 2, 3)), closed() {} }),
  });
  const caller = transport.connect(endpoint);
  const heard: number[] = [];
  caller.receive({ data: (bytes) => heard.push(...bytes), end() {}, closed() {} });
  caller.end(Uint8Array.of(9));
  await eventually('the reply', () => heard.length === 3);
  await transport.close();
});

const unsendable: readonly [name: string, to: Endpoint, length: number][] = [
  ['port 0', { address: '127.71.5.1', port: 0 }, 10],
  ['another family', { address: '::1', port: 7946 }, 10],
  ['more than a datagram holds', { address: '127.71.5.1', port: 7946 }, 70_000],
];
test('tells that a packet could not leave, and never throws', async () => {
  const transport = new NodeTransport({ address: '127.71.5.1', port: 17946 });
  await transport.listen(deaf);
  for (const [name, to, length] of unsendable) {
    let failed = false;
    transport.send(to, new Uint8Array(length), () => {
      failed = true;
    });
    await eventually(name, () => failed);
  }
  await transport.close();
  let failed = false;
  transport.send({ address: '127.71.5.1', port: 17946 }, new Uint8Array(1), () => {
    failed = true;
  });
  assert.ok(failed, 'after close');
});

test('may be closed before it listens, and twice', async () => {
  const transport = new NodeTransport({ address: '127.71.6.1', port: 17946 });
  await Promise.all([transport.close(), transport.close()]);
});

function member(name: string, endpoint: Endpoint): Memberlist {
  const transport = new NodeTransport(endpoint);
  const runtime = { clock: systemClock, random: systemRandom, log: silentLogger };
  return new Memberlist({ name, advertise: endpoint, transport, config: fast, ...runtime });
}
