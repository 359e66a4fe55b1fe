import { parseEndpoint } from './address-text.ts';
import type { MemberTable } from './member-table.ts';
import type { NodeState } from './messages.ts';
import { encodePushPull, type PushPull, versionsAgree } from './push-pull.ts';
import { type Sender, senderOfPacket, senderOfStream } from './sender.ts';
import { isFailure, type StreamExchange, type StreamFailure } from './stream-exchange.ts';
import type { Endpoint } from './transport.ts';
import type { UserState } from './user-state.ts';

export type JoinFailure = {
  readonly peer: string;
  readonly error: StreamFailure['failed'] | 'not-an-endpoint' | 'refused';
  readonly detail: string;
};
export type JoinResult = { readonly joined: number; readonly failed: readonly JoinFailure[] };

/** Peers that a join talks to at one time. */
const joinWidth = 8;

/** Push/pulls our table with peers, as the side that begins and as the one that answers. */
export class TableExchange {
  readonly #table: MemberTable;
  readonly #streams: StreamExchange;
  readonly #userState: UserState;
  readonly #accept: (states: readonly NodeState[]) => void;

  constructor(options: {
    readonly table: MemberTable;
    readonly streams: StreamExchange;
    readonly userState: UserState;
    /** Takes in the table of a peer whose versions fit. */
    readonly accept: (states: readonly NodeState[]) => void;
  }) {
    this.#table = options.table;
    this.#streams = options.streams;
    this.#userState = options.userState;
    this.#accept = options.accept;
  }

  /** Exchanges with each of these peers (`host:port`), a few at a time. Never rejects. */
  async join(peers: readonly string[]): Promise<JoinResult> {
    const waiting = [...peers];
    const failed: JoinFailure[] = [];
    const worker = async () => {
      for (let peer = waiting.shift(); peer !== undefined; peer = waiting.shift()) {
        const to = parseEndpoint(peer);
        const failure = to
          ? await this.begin(to, true)
          : ({ error: 'not-an-endpoint', detail: `${peer} is not host:port` } as const);
        if (failure !== undefined) failed.push({ peer, ...failure });
      }
    };
    await Promise.all(Array.from({ length: joinWidth }, worker));
    return { joined: peers.length - failed.length, failed };
  }

  /** Exchanges with one peer; resolves to what went wrong. `join` tells it that we are new. Never rejects. */
  async begin(to: Endpoint, join: boolean): Promise<Omit<JoinFailure, 'peer'> | undefined> {
    const request = encodePushPull(this.#table.entries(), join, this.#userState.local(join));
    const reply = await this.#streams.request(to, request);
    if (isFailure(reply)) return { error: reply.failed, detail: reply.detail };
    if (reply.type === 'err') return { error: 'refused', detail: reply.error };
    if (reply.type !== 'pushPull') return { error: 'malformed', detail: `answered with ${reply.type}` };
    if (this.#merge(reply, join, () => senderOfPacket(this.#table, to))) return undefined;
    return { error: 'version', detail: 'speaks versions that do not fit those of our ring' };
  }

  /** Takes in what a peer sent, if it fits, and returns our own table for it, as it was before. */
  answer(request: PushPull, from: Endpoint): { readonly reply: Uint8Array; readonly fits: boolean } {
    const { join } = request;
    const reply = encodePushPull(this.#table.entries(), join, this.#userState.local(join));
    return { reply, fits: this.#merge(request, join, () => senderOfStream(this.#table, from)) };
  }

  /** `sender` is asked for afterwards, when the table knows a new member. */
  #merge({ states, userState }: PushPull, join: boolean, sender: () => Sender): boolean {
    if (!versionsAgree(this.#table.entries(), states)) return false;
    this.#accept(states);
    this.#userState.merge(userState, sender(), join);
    return true;
  }
}
