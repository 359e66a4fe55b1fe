import assert from 'node:assert/strict';
import { type MemberState, memberStates } from '../../src/memberlist-lite/messages.ts';
import { NodeTransport } from '../../src/memberlist-lite/node-transport.ts';
import { encodePushPull } from '../../src/memberlist-lite/push-pull.ts';
import { isFailure, StreamExchange } from '../../src/memberlist-lite/stream-exchange.ts';
import type { Endpoint } from '../../src/memberlist-lite/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { framing } from './vectors.ts';

/** What a member's table says of another, asked by a push/pull that names nobody and does not join. */
export async function stateAt(peer: Endpoint, name: string, key?: Uint8Array): Promise<MemberState | undefined> {
  const exchange = new StreamExchange({
    transport: new NodeTransport({ address: '127.0.0.1', port: peer.port }),
    framing: framing(key ? { key } : {}),
    clock: systemClock,
    timeout: 5000,
    answer: () => undefined,
    drop() {},
  });
  const reply = await exchange.request(peer, encodePushPull([], false));
  assert.ok(!isFailure(reply) && reply.type === 'pushPull', JSON.stringify(reply));
  return memberStates[reply.states.find((state) => state.name === name)?.state ?? -1];
}
