import { createHash, hash } from 'node:crypto';
import { formatTimestamp, parseTimestamp } from '../runtime/clock.ts';
import type { KubernetesObject } from './core.ts';

/**
 * The form of saved state: lines of text, each ended by a line feed, so that it is written and read in pieces.
 *
 *     garpoon-state 1
 *     {"node":…,"cluster":…,"namespace":…,"asOf":…,"kinds":[["v1/services",2],["v1/nodes",0],…]}
 *     one object                          as many as the kinds say, in their order
 *     sha256 DIGEST                       of all bytes before this line
 *
 * Pure: no file, no clock. Whatever the bytes are, reading them gives a value.
 */
const formatVersion = 1;

/** Pieces handed out by `encodeState` are about so long, in characters: less than a millisecond of work. */
const pieceLength = 64 * 1024;
/** Of the first two lines and the last, which are looked for no further than this; in bytes. */
const maxFrameLine = 64 * 1024;
const digestLine = /^sha256 ([0-9a-f]{64})\n$/;
const digestLineLength = 'sha256 '.length + 64 + 1;

/** Whose state it is. That of another is of no use, and does harm. */
export type StateOwner = { readonly node: string; readonly cluster: string; readonly namespace: string };

/** `apiVersion/plural` → the objects of the kind. */
export type StateKinds = ReadonlyMap<string, readonly KubernetesObject[]>;

export type State = {
  /** The moment up to which it is known to be right, in milliseconds since 1970. */
  readonly asOf: number;
  readonly kinds: StateKinds;
};

/**
 * Why saved state is not used.
 * - `foreign`: these are not the first bytes of saved state.
 * - `version`: another version of the format.
 * - `cut`: the end is missing.
 * - `damaged`: the digest is another.
 * - `garbled`: the digest is right and the content is not.
 * - `owner`: it is of another node, cluster or namespace.
 * - `too-old`
 */
export type RefusalCode = 'foreign' | 'version' | 'cut' | 'damaged' | 'garbled' | 'owner' | 'too-old';

export type Refusal = { readonly refused: RefusalCode; readonly why: string };

export type ReadTerms = {
  readonly owner: StateOwner;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds. */
  readonly maxAge: number;
};

/** The bytes in pieces. The objects may not change until all have been taken, and objects of ours never do. */
export function* encodeState(owner: StateOwner, { asOf, kinds }: State): Generator<Buffer> {
  const digest = createHash('sha256');
  const header = {
    ...owner,
    asOf: formatTimestamp(asOf),
    kinds: [...kinds].map(([name, objects]) => [name, objects.length]),
  };
  let text = `garpoon-state ${formatVersion}\n${JSON.stringify(header)}\n`;
  const piece = () => {
    const bytes = Buffer.from(text);
    digest.update(bytes);
    text = '';
    return bytes;
  };
  for (const objects of kinds.values()) {
    for (const object of objects) {
      text += `${JSON.stringify(object)}\n`;
      if (text.length >= pieceLength) yield piece();
    }
  }
  yield piece();
  yield Buffer.from(`sha256 ${digest.digest('hex')}\n`);
}

export function decodeState(bytes: Buffer, { owner, now, maxAge }: ReadTerms): State | Refusal {
  const first = lineAt(bytes, 0);
  const version = /^garpoon-state (\d{1,9})$/.exec(first ?? '')?.[1];
  if (first === undefined || version === undefined) return refuse('foreign', 'it does not begin as saved state does');
  if (Number(version) !== formatVersion) {
    return refuse('version', `it is of version ${version}, and this program reads version ${formatVersion}`);
  }
  const end = bytes.length - digestLineLength;
  const digest = digestLine.exec(bytes.toString('latin1', Math.max(0, end)))?.[1];
  if (digest === undefined) return refuse('cut', `its ${bytes.length} bytes do not end as saved state does`);
  const body = bytes.subarray(0, end);
  if (hash('sha256', body) !== digest) return refuse('damaged', 'its bytes are not those that were written');
  const headerAt = first.length + 1;
  const headerText = lineAt(body, headerAt);
  const header = headerOf(headerText);
  if (header === undefined) return refuse('garbled', 'its second line does not say what is in it');
  const stranger = otherOwner(header.owner, owner);
  if (stranger !== undefined) return refuse('owner', stranger);
  if (now - header.asOf > maxAge) {
    const age = `it is ${Math.round((now - header.asOf) / 1_000)} s old`;
    return refuse('too-old', `${age}, and at most ${Math.round(maxAge / 1_000)} s are allowed`);
  }
  const kinds = objectsOf(body, headerAt + Buffer.byteLength(headerText ?? '') + 1, header.counts);
  if (kinds === undefined) return refuse('garbled', 'its objects are not those that its second line tells of');
  return { asOf: header.asOf, kinds };
}

type Header = {
  readonly owner: StateOwner;
  readonly asOf: number;
  readonly counts: readonly (readonly [string, number])[];
};

function headerOf(text: string | undefined): Header | undefined {
  const parsed = recordOf(text);
  const { node, cluster, namespace, asOf, kinds } = parsed ?? {};
  if (typeof node !== 'string' || typeof cluster !== 'string' || typeof namespace !== 'string') return undefined;
  const time = typeof asOf === 'string' ? parseTimestamp(asOf) : undefined;
  if (time === undefined || !Array.isArray(kinds) || !kinds.every(isCount)) return undefined;
  return { owner: { node, cluster, namespace }, asOf: time, counts: kinds };
}

function isCount(entry: unknown): entry is readonly [string, number] {
  if (!Array.isArray(entry) || entry.length !== 2) return false;
  const [name, count] = entry as readonly unknown[];
  return typeof name === 'string' && Number.isSafeInteger(count) && (count as number) >= 0;
}

function otherOwner(is: StateOwner, wanted: StateOwner): string | undefined {
  for (const what of ['node', 'namespace'] as const) {
    if (is[what] !== wanted[what]) return `it is of the ${what} "${is[what]}", and this is "${wanted[what]}"`;
  }
  return is.cluster === wanted.cluster ? undefined : 'it is of a cluster with another API server or authority';
}

/** Undefined unless there are exactly so many objects of each kind. */
function objectsOf(body: Buffer, from: number, counts: Header['counts']): StateKinds | undefined {
  const kinds = new Map<string, readonly KubernetesObject[]>();
  let at = from;
  for (const [name, count] of counts) {
    const objects: KubernetesObject[] = [];
    for (let i = 0; i < count; i++) {
      const end = body.indexOf('\n', at);
      const object = end === -1 ? undefined : recordOf(body.toString('utf8', at, end));
      if (!isObject(object)) return undefined;
      objects.push(object);
      at = end + 1;
    }
    kinds.set(name, objects);
  }
  return at === body.length && kinds.size === counts.length ? kinds : undefined;
}

function isObject(record: Readonly<Record<string, unknown>> | undefined): record is KubernetesObject & typeof record {
  const { name, namespace } = (record?.metadata ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === 'string' && (namespace === undefined || typeof namespace === 'string');
}

function recordOf(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text ?? '');
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Without its line feed; undefined when that is not near. */
function lineAt(bytes: Buffer, from: number): string | undefined {
  const end = bytes.subarray(from, from + maxFrameLine).indexOf('\n');
  return end === -1 ? undefined : bytes.toString('utf8', from, from + end);
}

function refuse(refused: RefusalCode, why: string): Refusal {
  return { refused, why };
}
