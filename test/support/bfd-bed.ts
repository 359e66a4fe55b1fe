import { eventually } from './eventually.ts';
import { connect, Netns } from './netns.ts';
import { ResponderProcess, type ResponderProcessOptions } from './responder-process.ts';
import type { BfdWish } from './responder-program.ts';

export type Side = 'a' | 'b';

/** Addresses on the interface `eth0` of each side. */
export const sides = {
  a: { v4: '198.18.0.1', v6: '2001:db8::1' },
  b: { v4: '198.18.0.2', v6: '2001:db8::2' },
} as const;

/**
 * Two nodes, each a namespace of its own, joined by a switch that can be cut without either seeing a carrier go:
 *
 *   a  eth0 ── p-a [br0] p-b ── eth0  b
 */
export class BfdBed {
  static create(): BfdBed {
    const bed = new BfdBed();
    bed.between.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    bed.between.ip('link', 'set', 'br0', 'up');
    for (const side of ['a', 'b'] as const) {
      connect({ netns: bed[side], name: 'eth0' }, { netns: bed.between, name: `p-${side}` });
      bed.between.ip('link', 'set', `p-${side}`, 'master', 'br0');
      bed[side].ip('addr', 'add', `${sides[side].v4}/15`, 'dev', 'eth0');
      bed[side].ip('addr', 'add', `${sides[side].v6}/64`, 'dev', 'eth0', 'nodad');
    }
    return bed;
  }

  readonly a = Netns.create('bfd-a');
  readonly b = Netns.create('bfd-b');
  readonly between = Netns.create('bfd-switch');
  readonly #responders: ResponderProcess[] = [];

  private constructor() {}

  async responder(side: Side, options: ResponderProcessOptions = {}): Promise<ResponderProcess> {
    const responder = await ResponderProcess.start(this[side], options);
    this.#responders.push(responder);
    return responder;
  }

  /** Nothing passes any more, and no interface of a node goes down. */
  cut(): void {
    this.between.ip('link', 'set', 'p-b', 'nomaster');
  }

  repair(): void {
    this.between.ip('link', 'set', 'p-b', 'master', 'br0');
  }

  async close(): Promise<void> {
    try {
      for (const responder of this.#responders) {
        // One that a failed test has left stopped would not end.
        if (responder.running) process.kill(responder.pid, 'SIGCONT');
        await responder.stop();
      }
    } finally {
      for (const netns of [this.a, this.b, this.between]) netns.destroy();
    }
  }
}

/** What `side` is to do towards the other: a session of our own kind, unless said otherwise. */
export function towardsPeer(side: Side, wish: Partial<BfdWish> = {}): BfdWish {
  return {
    id: 'peer',
    peer: sides[side === 'a' ? 'b' : 'a'].v4,
    port: 7950,
    multihop: true,
    desiredMinTx: 100,
    requiredMinRx: 100,
    detectMultiplier: 3,
    ...wish,
  };
}

export async function stateOf(responder: ResponderProcess, id = 'peer') {
  return (await responder.bfdSessions()).find((session) => session.id === id)!;
}

/** Resolves once the sessions are up at all of these and have settled: the timers asked for are in use. */
export async function allUp(...responders: readonly ResponderProcess[]): Promise<void> {
  for (const responder of responders) {
    await eventually('the session is up', async () => {
      const sessions = await responder.bfdSessions();
      return sessions.every(({ state, remoteState }) => state === 'up' && remoteState === 'up');
    });
  }
}
