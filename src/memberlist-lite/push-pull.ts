import { concat, copyOf, noBytes } from './bytes.ts';
import { maxRecordBytes } from './limits.ts';
import { isMalformed, type Malformed, malformed } from './malformed.ts';
import type { Entry } from './member-table.ts';
import {
  badMember,
  memberStates,
  messageType,
  type NodeState,
  nodeStateCodec,
  type PushPullHeader,
  pushPullCodec,
} from './messages.ts';

/** Push/pull: two members tell each other their whole tables over a stream, on joining and now and then. */
export type PushPull = {
  /** The side that began is new to the ring. */
  readonly join: boolean;
  readonly states: readonly NodeState[];
  /** What the application adds. */
  readonly userState: Uint8Array;
};

/** A ring up to this size keeps to the configured interval. */
const scaleFrom = 32;

export function encodePushPull(entries: Iterable<Entry>, join: boolean, userState: Uint8Array = noBytes): Uint8Array {
  const states = Array.from(entries, encodedEntry);
  const header = pushPullCodec.encode(
    { nodes: states.length, userStateLen: userState.length, join },
    messageType.pushPull,
  );
  return concat([header, ...states, userState]);
}

/**
 * Reads a push/pull that arrives piece by piece. Plain ones have no length in front, so each piece is tried; what was
 * read stays read, which bounds the work for a peer that sends single bytes.
 */
export class PushPullReader {
  #header: PushPullHeader | undefined;
  readonly #states: NodeState[] = [];
  #offset = 0;

  /** `bytes` is all there is so far; undefined asks for more. */
  read(bytes: Uint8Array): PushPull | Malformed | undefined {
    if (this.#header === undefined) {
      const header = pushPullCodec.decode(bytes, 1);
      if (isMalformed(header)) return this.#incomplete(bytes, 0, header);
      this.#header = header.value;
      this.#offset = header.end;
    }
    while (this.#states.length < this.#header.nodes) {
      const state = nodeStateCodec.decode(bytes, this.#offset);
      if (isMalformed(state)) return this.#incomplete(bytes, this.#offset, state);
      const bad = badMember(state.value.addr, state.value.vsn);
      if (bad !== undefined) return bad;
      this.#states.push(state.value);
      this.#offset = state.end;
    }
    const end = this.#offset + this.#header.userStateLen;
    if (bytes.length < end) return undefined;
    return { join: this.#header.join, states: this.#states, userState: copyOf(bytes.subarray(this.#offset, end)) };
  }

  /** A record that is merely cut off may still be completed, as long as it is not absurdly long. */
  #incomplete(bytes: Uint8Array, start: number, result: Malformed): Malformed | undefined {
    if (result.malformed !== 'truncated') return result;
    return bytes.length - start > maxRecordBytes ? malformed('too-big') : undefined;
  }
}

/** By how much the interval between push/pulls grows with the ring, so that the traffic of all of it does not. */
export function pushPullScale(members: number): number {
  if (members <= scaleFrom) return 1;
  return Math.ceil(Math.log2(members) - Math.log2(scaleFrom)) + 1;
}

/**
 * Whether all members of both tables can talk to each other: every current version, of the dead too, must lie within
 * what all who are alive understand. One that does not spoils the whole exchange, as it would at our peers.
 */
export function versionsAgree(ours: Iterable<Entry>, theirs: readonly NodeState[]): boolean {
  const versions = [
    ...Array.from(ours, ({ vsn, state }) => ({ vsn, alive: state === 'alive' })),
    ...theirs.map(({ vsn, state }) => ({ vsn, alive: memberStates[state] === 'alive' })),
  ];
  return [0, 3].every((at) => {
    const known = versions.filter(({ vsn, alive }) => alive && vsn.length > 0);
    const lowest = known.reduce((most, { vsn }) => Math.max(most, vsn[at] ?? 0), 0);
    const highest = known.reduce((least, { vsn }) => Math.min(least, vsn[at + 1] ?? 0), 255);
    return versions.every(({ vsn }) => (vsn[at + 2] ?? 0) >= lowest && (vsn[at + 2] ?? 0) <= highest);
  });
}

/** Entries never change, new ones take their place: so each is written once, however often peers ask for the table. */
const written = new WeakMap<Entry, Uint8Array>();

function encodedEntry(entry: Entry): Uint8Array {
  const known = written.get(entry);
  if (known !== undefined) return known;
  const bytes = nodeStateCodec.encode(stateOf(entry));
  written.set(entry, bytes);
  return bytes;
}

function stateOf(entry: Entry): NodeState {
  return {
    name: entry.name,
    addr: entry.address,
    port: entry.port,
    meta: entry.meta,
    incarnation: entry.incarnation,
    state: memberStates.indexOf(entry.state),
    vsn: entry.vsn,
  };
}
