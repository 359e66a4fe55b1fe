import type { Timer } from '../../runtime/clock.ts';
import type { Core } from './core.ts';
import type { Faults } from './faults.ts';
import { forbidden } from './field-error.ts';
import type { ApiObject, Json, JsonObject } from './json.ts';
import { apiVersionOf } from './kind.ts';
import type { Selector } from './label-selector.ts';
import { flag, type Scope, selectorOf, wholeNumber } from './read.ts';
import { expired, internalError, invalidListOptions, StatusError } from './status.ts';
import type { Change } from './store.ts';
import { labelled, needsWebhook, served } from './versions.ts';

/** Where a watch's events go. `backlog` is what the client has not taken yet, in bytes. */
export type EventSink = { write(line: string): void; end(): void; backlog(): number };

/** How an object is shown in an event: as it is, as a one-row table, or as its metadata alone. */
export type Presentation = (object: ApiObject) => Json;

/** A watch whose client does not read is ended before it costs more than this. */
const maxBacklogBytes = 16 * 1024 * 1024;
/** Without a timeoutSeconds a watch ends after this, plus up to as much again. */
const defaultTimeoutSeconds = 1800;
const bookmarkPeriodMs = 60_000;

/**
 * One watch: a position in the store's history and a sink. Everything it sends comes from the history after its
 * position, so a pause, a burst and a reconnect are one case; what the history has forgotten ends it with an ERROR
 * event of code 410. Leaving a selector is a DELETED, entering it an ADDED.
 */
export class Watch {
  readonly #core: Core;
  readonly #scope: Scope;
  readonly #faults: Faults;
  readonly #sink: EventSink;
  readonly #present: Presentation;
  readonly #selects: Selector;
  readonly #bookmarks: boolean;
  readonly #releases: (() => void)[] = [];
  readonly #timers: Timer[] = [];
  #position = 0;
  #ended = false;
  /** Ends when what has been taken from the history has been sent; undefined while nothing waits for a webhook. */
  #sending: Promise<void> | undefined;

  /** Throws a 400 or 422 Status for a request that is no watch. */
  constructor(core: Core, scope: Scope, faults: Faults, sink: EventSink, present: Presentation) {
    this.#core = core;
    this.#scope = scope;
    this.#faults = faults;
    this.#sink = sink;
    this.#present = present;
    this.#selects = selectorOf(scope);
    this.#bookmarks = flag(scope.query, 'allowWatchBookmarks');
    const { query } = scope;
    const initial = flag(query, 'sendInitialEvents');
    if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan') {
      const why = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
      throw invalidListOptions(forbidden('resourceVersionMatch', why));
    }
    if (!initial && query.has('resourceVersionMatch')) {
      const why = 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
      throw invalidListOptions(forbidden('resourceVersionMatch', why));
    }
    // Read here, so that a text that is no number is refused before the stream begins.
    wholeNumber(query, 'resourceVersion');
    wholeNumber(query, 'timeoutSeconds');
  }

  start(): void {
    const { store, clock, random } = this.#core;
    const { query } = this.#scope;
    const asked = wholeNumber(query, 'resourceVersion') ?? 0;
    const seconds = wholeNumber(query, 'timeoutSeconds') ?? 0;
    const limit = seconds > 0 ? seconds : defaultTimeoutSeconds * (1 + random.float());
    const initial = flag(query, 'sendInitialEvents');
    if (initial || (asked === 0 && query.get('sendInitialEvents') !== 'false')) this.#sendState(initial);
    else this.#position = asked === 0 ? store.revision : asked;
    this.#releases.push(
      store.onChange(() => this.#pump()),
      this.#faults.onResume(() => this.#pump()),
      this.#faults.onCloseWatches(() => this.end()),
    );
    this.#timers.push(clock.after(limit * 1000, () => this.#expire()));
    if (this.#bookmarks) this.#timers.push(clock.every(bookmarkPeriodMs, () => this.#bookmark()));
    this.#pump();
  }

  /** Ends the stream, as a server that goes away in good order does. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.stop();
    this.#sink.end();
  }

  /** Lets go of everything without touching the sink, whose client has left. Idempotent. */
  stop(): void {
    this.#ended = true;
    for (const release of this.#releases.splice(0)) release();
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  /** Everything that is there now, as ADDED events; a WatchList ends it with a marked bookmark. */
  #sendState(marked: boolean): void {
    const { kind, namespace } = this.#scope;
    this.#position = this.#core.store.revision;
    for (const object of this.#core.store.list(kind.resource, namespace)) {
      if (this.#selects(object)) this.#send('ADDED', object);
    }
    if (marked && this.#bookmarks) this.#bookmark({ 'k8s.io/initial-events-end': 'true' });
  }

  #pump(): void {
    if (this.#ended || this.#faults.paused) return;
    const changes = this.#core.store.since(this.#position);
    if (changes === undefined) {
      const why = `too old resource version: ${this.#position} (${this.#core.store.revision})`;
      this.#fail(expired(why));
      return;
    }
    for (const change of changes) {
      this.#position = change.revision;
      this.#forward(change);
      if (this.#sink.backlog() > maxBacklogBytes) {
        this.end();
        return;
      }
    }
  }

  #forward({ type, resource, object, before }: Change): void {
    const { kind, namespace } = this.#scope;
    if (resource !== kind.resource || (namespace !== undefined && object.metadata.namespace !== namespace)) return;
    const was = before !== undefined && this.#selects(before);
    const is = type !== 'DELETED' && this.#selects(object);
    if (is) this.#send(was ? 'MODIFIED' : 'ADDED', object);
    else if (was) this.#send('DELETED', type === 'DELETED' ? object : lastSeen(before, object));
  }

  /** In the order of the calls, also where some of the objects have to be converted first. */
  #send(type: Change['type'], object: ApiObject): void {
    const { kind } = this.#scope;
    if (this.#sending === undefined && !needsWebhook(kind, object)) {
      this.#write({ type, object: this.#present(labelled(object, apiVersionOf(kind))) });
      return;
    }
    const sending = (this.#sending ?? Promise.resolve()).then(async () => {
      if (this.#ended) return;
      try {
        const shown = await served(this.#core, kind, object);
        if (!this.#ended) this.#write({ type, object: this.#present(shown) });
      } catch (error) {
        if (!this.#ended) this.#fail(error instanceof StatusError ? error : internalError(String(error)));
      }
      if (this.#sending === sending) this.#sending = undefined;
    });
    this.#sending = sending;
  }

  #bookmark(annotations?: JsonObject): void {
    if (this.#faults.paused) return;
    const { kind } = this.#scope;
    // It would say that everything before it has been sent.
    if (this.#sending !== undefined) {
      void this.#sending.then(() => {
        if (!this.#ended) this.#bookmark(annotations);
      });
      return;
    }
    const metadata: JsonObject = { resourceVersion: String(this.#position), creationTimestamp: null };
    if (annotations !== undefined) metadata.annotations = annotations;
    const bookmark = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
    this.#write({ type: 'BOOKMARK', object: bookmark });
  }

  #expire(): void {
    if (this.#bookmarks) this.#bookmark();
    this.end();
  }

  #fail(error: StatusError): void {
    this.#write({ type: 'ERROR', object: error.body() });
    this.end();
  }

  #write(event: JsonObject): void {
    this.#sink.write(`${JSON.stringify(event)}\n`);
  }
}

/** An object that left a selector is deleted in its last matching state, at the revision at which it left. */
function lastSeen(before: ApiObject, now: ApiObject): ApiObject {
  const { resourceVersion = '' } = now.metadata;
  return { ...before, metadata: { ...before.metadata, resourceVersion } };
}
