import type { Capability, GracefulRestartCapability, Open } from '../../../src/bgp/message.ts';
import type { IncomingConnection } from '../../../src/bgp/transport.ts';
import type { Address } from '../../../src/ip/address.ts';
import { keepalive, ScriptedRouter } from '../../support/scripted-router.ts';
import { HeardRoutes } from './heard-routes.ts';

type Call = { readonly router: ScriptedRouter; readonly routes: HeardRoutes };

/** A router at an address, which takes every connection and is of the AS 64513, unless it is told otherwise. */
export class TestRouter {
  readonly address: Address;
  readonly calls: Call[] = [];
  readonly #open: Partial<Open>;
  readonly #capabilities: readonly Capability[];

  constructor(address: Address, { capabilities = [], ...open }: Partial<Open> = {}) {
    this.address = address;
    this.#open = open;
    this.#capabilities = capabilities;
  }

  take(incoming: IncomingConnection): void {
    const routes = new HeardRoutes();
    const tapped: IncomingConnection = {
      open: (callbacks) => {
        const onData = (bytes: Uint8Array) => {
          routes.hear(bytes);
          callbacks.onData(bytes);
        };
        return incoming.open({ ...callbacks, onData });
      },
    };
    const router = new ScriptedRouter(tapped);
    this.calls.push({ router, routes });
    this.#greet(router);
  }

  /** The newest connection. */
  get last(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('no connection has reached the router');
    return call;
  }

  /** What it knows over its newest connection, in words; undefined while there is none that is up. */
  get knows(): string | undefined {
    const call = this.calls.at(-1);
    return call === undefined || call.router.closed ? undefined : call.routes.text;
  }

  get updates(): readonly string[] {
    return this.last.routes.updates;
  }

  /** `code/subcode` of the NOTIFICATION that ended the newest connection. */
  get notification(): string | undefined {
    const [first] = this.last.router.of('notification');
    return first && `${first.code}/${first.subcode}`;
  }

  #greet(router: ScriptedRouter): void {
    const { asn = 64_513 } = this.#open;
    const known: Capability[] = [
      { kind: 'multiprotocol', family: 4 },
      { kind: 'multiprotocol', family: 6 },
      { kind: 'four-octet-asn', asn },
    ];
    const open: Open = { type: 'open', asn, holdTime: 90, routerId: 1, capabilities: known, ...this.#open };
    router.say({ ...open, capabilities: [...known, ...this.#capabilities] }, keepalive);
  }
}

/** As the OPEN of a router that keeps routes. */
export const gracefulRestart: GracefulRestartCapability = {
  kind: 'graceful-restart',
  restarted: false,
  notification: false,
  restartTime: 120,
  families: [
    { family: 4, forwardingPreserved: true },
    { family: 6, forwardingPreserved: true },
  ],
};
