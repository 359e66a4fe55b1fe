import type { Clock, Timer } from '../runtime/clock.ts';
import { maxRelays } from './limits.ts';
import type { IndirectPing } from './messages.ts';
import type { Endpoint } from './transport.ts';

export type RelayWire = {
  readonly nextSeqNo: () => number;
  readonly ping: (target: Endpoint, node: string, seqNo: number) => void;
  readonly ack: (requester: Endpoint, seqNo: number) => void;
  readonly nack: (requester: Endpoint, seqNo: number) => void;
};

/**
 * A nack goes out after this share of the probe timeout. Upstream waits for all of it, and then its nacks arrive a few
 * milliseconds after the prober has given up, which makes default members believe that they are unwell.
 */
const nackShare = 0.8;

/** Pings that we carry out for others which could not reach the target themselves. */
export class Relays {
  readonly #clock: Clock;
  readonly #probeTimeout: number;
  readonly #wire: RelayWire;
  /** our number → the request that it serves */
  readonly #running = new Map<number, { requester: Endpoint; seqNo: number; timers: Timer[] }>();

  constructor(clock: Clock, probeTimeout: number, wire: RelayWire) {
    this.#clock = clock;
    this.#probeTimeout = probeTimeout;
    this.#wire = wire;
  }

  /** False when as many as we take on are running. */
  start(request: IndirectPing, target: Endpoint, requester: Endpoint): boolean {
    if (this.#running.size >= maxRelays) return false;
    const own = this.#wire.nextSeqNo();
    const timers = [this.#clock.after(this.#probeTimeout, () => this.#end(own))];
    if (request.nack) {
      const nackAfter = this.#probeTimeout * nackShare;
      timers.push(this.#clock.after(nackAfter, () => this.#wire.nack(requester, request.seqNo)));
    }
    this.#running.set(own, { requester, seqNo: request.seqNo, timers });
    this.#wire.ping(target, request.node, own);
    return true;
  }

  /** Passes on an ack to whoever asked for it. One that comes too late, or that nobody waits for, is ignored. */
  ack(seqNo: number): void {
    const relay = this.#running.get(seqNo);
    if (relay === undefined) return;
    this.#end(seqNo);
    this.#wire.ack(relay.requester, relay.seqNo);
  }

  stop(): void {
    for (const seqNo of [...this.#running.keys()]) this.#end(seqNo);
  }

  #end(seqNo: number): void {
    for (const timer of this.#running.get(seqNo)?.timers ?? []) timer.cancel();
    this.#running.delete(seqNo);
  }
}
