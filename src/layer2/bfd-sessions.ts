import type { BfdEvent, BfdSession, BfdSessionState } from './bfd.ts';
import type { Responder } from './responder.ts';

/** Who keeps sessions, and where; one character each, because an id takes up to 253 of 255 bytes. */
export const bfdOwner = { speakers: 's', routers: 'r' } as const;

export type BfdOwner = (typeof bfdOwner)[keyof typeof bfdOwner];

/** One owner's sessions: the part of a Responder that it would use, were it alone. */
export type BfdShare = Pick<Responder, 'setBfdSessions' | 'bfdSessions'>;

/**
 * Lets several owners keep BFD sessions at one responder, which takes the sessions of a node as one whole. Their ids do
 * not meet; a peer together with its interface and port may still come only once for all of them.
 */
export class BfdSessions {
  readonly #responder: BfdShare;
  readonly #sessions = new Map<BfdOwner, readonly BfdSession[]>();
  readonly #listeners = new Map<BfdOwner, (event: BfdEvent) => void>();

  constructor(responder: BfdShare) {
    this.#responder = responder;
  }

  /** `setBfdSessions` replaces those of this owner only, and throws as the responder's does. */
  share(owner: BfdOwner): BfdShare {
    return {
      setBfdSessions: (sessions) => this.#set(owner, sessions),
      bfdSessions: () => this.#responder.bfdSessions().flatMap((state) => ownOf(owner, state) ?? []),
    };
  }

  /** The events of this owner's sessions go to `listener`, and to no other that came before it. */
  onEvent(owner: BfdOwner, listener: (event: BfdEvent) => void): void {
    this.#listeners.set(owner, listener);
  }

  /** An event of the responder. */
  see(event: BfdEvent): void {
    for (const [owner, listener] of this.#listeners) {
      const own = ownOf(owner, event);
      if (own !== undefined) listener(own);
    }
  }

  #set(owner: BfdOwner, sessions: readonly BfdSession[]): void {
    const others = [...this.#sessions].flatMap(([name, its]) => (name === owner ? [] : its));
    const own = sessions.map((session) => ({ ...session, id: `${owner}/${session.id}` }));
    this.#responder.setBfdSessions([...others, ...own]);
    // Not if that has thrown: the other owner must be able to change its own.
    this.#sessions.set(owner, own);
  }
}

function ownOf<T extends Pick<BfdEvent | BfdSessionState, 'id'>>(owner: BfdOwner, told: T): T | undefined {
  const prefix = `${owner}/`;
  return told.id.startsWith(prefix) ? { ...told, id: told.id.slice(prefix.length) } : undefined;
}
