import assert from 'node:assert/strict';
import { formatAddress } from '../../../src/ip/address.ts';
import { type Caller, Listening } from '../../../src/speaker/bgp/listening.ts';
import type { TcpIncoming, TcpListenOptions } from '../../../src/speaker/bgp/tcp-transport.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { suite } from '../../support/suite.ts';
import { address } from './support.ts';

const test = suite('speaker/bgp/listening');

const caller = (text: string, password?: string): Caller => ({ address: address(text), password, ttl: 1 });

function bench() {
  const clock = new FakeClock();
  const log = new RecordedLog();
  /** By family: who may connect; undefined while nobody listens. */
  const open = new Map<4 | 6, readonly string[]>();
  const calls: TcpListenOptions[] = [];
  const accepted: string[] = [];
  const state = { isTaken: false, isRefusing: false };
  const textOf = (peers: TcpListenOptions['peers']) =>
    peers.map(({ address, password = '' }) => `${formatAddress(address)} ${password}`.trim());
  const listening = new Listening({
    listen: async (options) => {
      const { family } = options.address;
      calls.push(options);
      // Some way to the kernel and back.
      await Promise.resolve();
      if (state.isTaken) throw new Error('EADDRINUSE');
      open.set(family, textOf(options.peers));
      return {
        setPeers: (peers) => {
          if (state.isRefusing) throw new Error('ENOMEM');
          open.set(family, textOf(peers));
        },
        close: () => open.delete(family),
      };
    },
    accept: (from, _connection, link) => accepted.push(`${formatAddress(from)}%${link}`) > 0,
    clock,
    log,
  });
  return { clock, log, open, calls, accepted, state, listening };
}

test('each family is listened for while somebody of it may connect', async () => {
  const { clock, open, calls, listening } = bench();
  listening.set([]);
  await clock.advance(0);
  assert.equal(calls.length, 0);
  listening.set([caller('198.51.100.1')]);
  await clock.advance(0);
  assert.deepEqual([...open], [[4, ['198.51.100.1']]]);
  listening.set([caller('198.51.100.1', 'secret'), caller('2001:db8::1')]);
  await clock.advance(0);
  assert.deepEqual(
    [...open],
    [
      [4, ['198.51.100.1 secret']],
      [6, ['2001:db8::1']],
    ],
  );
  listening.set([caller('2001:db8::1')]);
  assert.deepEqual([...open.keys()], [6]);
  assert.equal(calls.length, 2);
  assert.deepEqual(
    calls.map(({ port }) => port),
    [179, 179],
  );
  listening.close();
  assert.equal(open.size, 0);
});

test('what changes while a port is being opened holds once it is', async () => {
  const { clock, open, calls, listening } = bench();
  listening.set([caller('198.51.100.1'), caller('2001:db8::1')]);
  listening.set([caller('198.51.100.2')]);
  await clock.advance(0);
  assert.deepEqual([...open], [[4, ['198.51.100.2']]]);
  assert.equal(calls.length, 2);
  listening.set([]);
  listening.set([caller('198.51.100.2')]);
  listening.close();
  await clock.advance(0);
  assert.equal(open.size, 0);
});

test('a port that somebody else has is tried again until it is free', async () => {
  const { clock, log, open, state, listening } = bench();
  state.isTaken = true;
  listening.set([caller('198.51.100.1'), caller('2001:db8::1')]);
  await clock.advance(9_999);
  assert.equal(log.of('cannot listen for BGP peers').length, 2);
  state.isTaken = false;
  await clock.advance(1);
  assert.deepEqual([...open.keys()].sort(), [4, 6]);
  listening.close();
  assert.equal(clock.pending(), 0);
});

test('a port that is still taken when we end is not tried again', async () => {
  const { clock, calls, state, listening } = bench();
  state.isTaken = true;
  listening.set([caller('198.51.100.1')]);
  await clock.advance(0);
  listening.close();
  await clock.advance(60_000);
  assert.equal(calls.length, 1);
});

test('a peer that the kernel does not take is told of, and the others stay', async () => {
  const { clock, log, open, state, listening } = bench();
  listening.set([caller('198.51.100.1')]);
  await clock.advance(0);
  state.isRefusing = true;
  listening.set([caller('198.51.100.1'), caller('198.51.100.2')]);
  assert.equal(log.of('a peer cannot be admitted').length, 1);
  assert.deepEqual([...open.keys()], [4]);
});

test('a connection is offered with the link that it came over', async () => {
  const { clock, calls, accepted, listening } = bench();
  listening.set([caller('fe80::1')]);
  await clock.advance(0);
  const place = { remoteAddress: address('fe80::1'), localAddress: address('fe80::2'), localInterface: 'eth1' };
  calls[0]?.onConnection({ ...place, open: () => assert.fail('opened') } satisfies TcpIncoming);
  assert.deepEqual(accepted, ['fe80::1%eth1']);
});
