import type { SessionStatus } from '../../bgp/session-status.ts';
import { formatAddress } from '../../ip/address.ts';
import type { KubernetesObject } from '../../kubernetes/core.ts';
import type { EventRecorder } from '../../kubernetes/events.ts';

export type SessionNewsOptions = {
  readonly node: string;
  readonly events: Pick<EventRecorder, 'record'>;
  /** The BGPPeer. */
  readonly objectOf: (peer: string) => KubernetesObject | undefined;
};

/** Tells, as events of the BGPPeer, when a session comes up, is lost, or cannot be had; each once, until it changes. */
export class SessionNews {
  readonly #options: SessionNewsOptions;
  readonly #told = new Map<string, { readonly isUp: boolean; readonly problem: string | undefined }>();

  constructor(options: SessionNewsOptions) {
    this.#options = options;
  }

  /** `problem` is why there is no session at all; undefined for both: there is no such BGPPeer any more. */
  see(peer: string, session: SessionStatus | undefined, missing: string | undefined): void {
    if (session === undefined && missing === undefined) {
      this.#told.delete(peer);
      return;
    }
    const before = this.#told.get(peer);
    const isUp = session?.state === 'Established';
    const problem = isUp ? undefined : (missing ?? session?.lastError?.text);
    if (before?.isUp === isUp && before.problem === problem) return;
    this.#told.set(peer, { isUp, problem });
    if (isUp) this.#record(peer, 'Normal', 'sessionEstablished', `BGP session with ${whoIs(session)} established`);
    else if (before?.isUp === true)
      this.#record(peer, 'Warning', 'sessionLost', `BGP session lost: ${problem ?? 'closed'}`);
    else if (problem !== undefined)
      this.#record(peer, 'Warning', 'sessionNotEstablished', `no BGP session: ${problem}`);
  }

  #record(peer: string, type: 'Normal' | 'Warning', reason: string, what: string): void {
    const { node, events, objectOf } = this.#options;
    const object = objectOf(peer);
    if (object !== undefined) events.record(object, { type, reason, message: `node "${node}": ${what}` });
  }
}

function whoIs({ remoteAddress, peerAsn }: SessionStatus): string {
  return `${remoteAddress === undefined ? 'the peer' : formatAddress(remoteAddress)} (AS ${peerAsn})`;
}
