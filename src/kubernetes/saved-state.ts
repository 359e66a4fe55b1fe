import { type Clock, formatTimestamp, sleep, type Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { KubernetesObject } from './core.ts';
import { apiVersionOf, type Resource } from './resource.ts';
import { SavedStateFile } from './saved-state-file.ts';
import type { State, StateKinds, StateOwner } from './saved-state-format.ts';
import type { ChangeListener } from './store.ts';

/** For how long the API server is given at the start before what was saved is used; milliseconds. */
const patience = 2_000;
/** Changes within this time are one write; milliseconds. */
const gatherTime = 500;
/** Between two writes at least, in milliseconds, and as a multiple of how long the last one took. */
const writePause = { least: 5_000, multiple: 20 };
/** After a write that failed; milliseconds. */
const retryPause = 30_000;
/** So often it is written although nothing has changed, because it is right for longer now; milliseconds. */
const renewalInterval = 600_000;

/** A reflector or a watched kind: see there for what these mean. */
export type SavedKind = {
  readonly resource: Resource<KubernetesObject>;
  readonly mayBeAbsent: boolean;
  readonly attempted: Promise<void>;
  readonly caughtUp: Promise<void>;
  readonly isFilled: boolean;
  readonly isDenied: boolean;
  readonly staleSince: number | undefined;
  onChange(listener: ChangeListener<KubernetesObject>): () => void;
  restore(objects: readonly KubernetesObject[], asOf: number): void;
};

/** A kind, and which of its objects are saved; undefined while that cannot be said. */
export type Saved = { readonly kind: SavedKind; readonly objects: () => readonly KubernetesObject[] | undefined };

export type SavedStateOptions = {
  /** On the node's disk; empty: nothing is saved. */
  readonly directory: string;
  /** Of what is used, in milliseconds. */
  readonly maxAge: number;
  /** Asked for each write and read. */
  readonly owner: () => StateOwner;
  readonly kinds: readonly Saved[];
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * Keeps what has been read of the cluster on the node's disk, for a start while the API server is away. Then the kinds
 * are filled from there, and go on trying to list; the first list of each takes the place of what was saved.
 */
export class SavedState {
  readonly #options: SavedStateOptions;
  readonly #file: SavedStateFile;
  readonly #stopping = new AbortController();
  readonly #subscriptions: (() => void)[] = [];
  #isRestored = false;
  /** Everything has been read from the API server, so that a file is worth writing. */
  #hasCaughtUp = false;
  #hasChanged = false;
  #renewal: Timer | undefined;
  #next: Timer | undefined;
  /** Before this moment of the clock nothing is written. */
  #resting = 0;
  #writing: Promise<void> | undefined;
  /** Why the last write failed, so that it is told once. */
  #failure: string | undefined;

  constructor(options: SavedStateOptions) {
    this.#options = options;
    this.#file = new SavedStateFile(options.directory);
  }

  /** To be called before the kinds are started, or right after. */
  start(): void {
    if (this.#options.directory === '') return;
    // Neither rejects but when stopped.
    this.#restoreWhileAway().catch(() => {});
    Promise.all(this.#options.kinds.map(({ kind }) => kind.caughtUp)).then(
      () => this.#beginToSave(),
      () => {},
    );
  }

  /** How long ago the oldest of what is known was the API server's, in milliseconds; 0 while all of it is. */
  age(): number {
    const { clock } = this.#options;
    const now = clock.wallTime();
    // A clock that was set back must not make it younger than new.
    return Math.max(0, now - this.#asOf(now));
  }

  /** Writes a last time. To be called while the kinds are not stopped yet. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#renewal?.cancel();
    this.#next?.cancel();
    await this.#writing;
    if (this.#hasCaughtUp) await this.#write();
  }

  async #restoreWhileAway(): Promise<void> {
    const { clock, kinds } = this.#options;
    const { signal } = this.#stopping;
    // Where connections are refused, there is nothing to wait for.
    await Promise.race([sleep(clock, patience, signal), Promise.all(kinds.map(({ kind }) => kind.attempted))]);
    let state: State | undefined;
    for (;;) {
      const waiting = kinds.filter(({ kind }) => !kind.isFilled);
      if (waiting.length === 0 || signal.aborted) return;
      // Who is there and says no is not away.
      const filled = waiting.filter(({ kind }) => !kind.isDenied);
      if (filled.length > 0) {
        state ??= await this.#read();
        if (state === undefined || signal.aborted) return;
        this.#restore(state, filled);
      }
      await sleep(clock, patience, signal);
    }
  }

  async #read(): Promise<State | undefined> {
    const { owner, maxAge, clock, log } = this.#options;
    const { path: file } = this.#file;
    const read = await this.#file.read({ owner: owner(), maxAge, now: clock.wallTime() });
    if (read === undefined) {
      log.info('no saved state', { file, next: 'wait for the API server' });
      return undefined;
    }
    if ('refused' in read) {
      const { refused: reason, why } = read;
      log.warn('saved state refused', { file, reason, why, next: 'wait for the API server' });
      return undefined;
    }
    return read;
  }

  #restore({ asOf, kinds }: State, waiting: readonly Saved[]): void {
    const { clock, log } = this.#options;
    const restored: Record<string, number> = {};
    for (const { kind } of waiting) {
      const name = nameOf(kind.resource);
      const objects = kinds.get(name) ?? (kind.mayBeAbsent ? [] : undefined);
      // It may have been listed while the file was read.
      if (objects === undefined || kind.isFilled) continue;
      kind.restore(objects, asOf);
      restored[name] = objects.length;
    }
    if (Object.keys(restored).length === 0) return;
    this.#isRestored = true;
    const age = Math.round(Math.max(0, clock.wallTime() - asOf) / 1_000);
    log.warn('working from saved state', { why: 'the API server is away', asOf: formatTimestamp(asOf), age, restored });
  }

  #beginToSave(): void {
    const { clock, kinds, log } = this.#options;
    if (this.#stopping.signal.aborted) return;
    if (this.#isRestored) log.info('saved state replaced', { why: 'the API server has been read' });
    this.#hasCaughtUp = true;
    for (const { kind } of kinds) {
      const listener: ChangeListener<KubernetesObject> = (_key, now, before) => {
        if (!this.#hasChanged && contentOf(now) !== contentOf(before)) this.#saveSoon(gatherTime);
      };
      this.#subscriptions.push(kind.onChange(listener));
    }
    this.#renewal = clock.every(renewalInterval, () => {
      if (this.age() === 0) this.#saveSoon(0);
    });
    this.#saveSoon(0);
  }

  #saveSoon(delay: number): void {
    this.#hasChanged = true;
    if (this.#writing !== undefined || this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    this.#next ??= clock.after(Math.max(delay, this.#resting - clock.now()), () => {
      this.#next = undefined;
      this.#writing = this.#writeAndRest();
    });
  }

  /** Never rejects. */
  async #writeAndRest(): Promise<void> {
    const { clock } = this.#options;
    const begun = clock.now();
    await this.#write();
    const hasFailed = this.#failure !== undefined;
    const now = clock.now();
    this.#resting = now + (hasFailed ? retryPause : Math.max(writePause.least, writePause.multiple * (now - begun)));
    this.#writing = undefined;
    if (this.#hasChanged || hasFailed) this.#saveSoon(0);
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { clock, owner } = this.#options;
    this.#hasChanged = false;
    const kinds = this.#content();
    // Before there was a configuration without a fault.
    if (kinds === undefined) return;
    const failure = await this.#file.write(owner(), { asOf: this.#asOf(clock.wallTime()), kinds }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    this.#tell(failure);
  }

  #content(): StateKinds | undefined {
    const kinds = new Map<string, readonly KubernetesObject[]>();
    for (const { kind, objects } of this.#options.kinds) {
      const list = objects();
      if (list === undefined) return undefined;
      kinds.set(nameOf(kind.resource), list);
    }
    return kinds;
  }

  #asOf(now: number): number {
    return Math.min(now, ...this.#options.kinds.map(({ kind }) => kind.staleSince ?? now));
  }

  #tell(failure: string | undefined): void {
    const { log } = this.#options;
    const { path: file } = this.#file;
    if (failure === this.#failure) return;
    const before = this.#failure;
    this.#failure = failure;
    if (failure !== undefined) {
      const remedy =
        'see --state-dir; until then a start while the API server is away announces nothing, or what is old';
      log.warn('state not saved', { file, why: failure, remedy });
    } else if (before !== undefined) log.info('state saved again', { file });
  }
}

function nameOf(resource: Resource<KubernetesObject>): string {
  return `${apiVersionOf(resource)}/${resource.plural}`;
}

/** All but the version: a Node's heartbeat changes nothing of what is kept of it. */
function contentOf(object: KubernetesObject | undefined): string {
  return JSON.stringify(object, (key, value) => (key === 'resourceVersion' ? undefined : value)) ?? '';
}
