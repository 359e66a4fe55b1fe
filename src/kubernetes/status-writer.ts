import { isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';
import { type Resource, splitKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Pace } from '../runtime/pace.ts';
import type { Random } from '../runtime/random.ts';

/** For how long changes of one object are gathered into one write; milliseconds. Nobody reads a status faster. */
const gatherTime = 200;
/** Between two writes of one object; milliseconds. What changes all the time is not written all the time. */
const pause = 1_000;

export type StatusWriterOptions<T extends KubernetesObject, S extends object> = {
  readonly client: ApiClient;
  readonly resource: Resource<T>;
  /** Where the objects are. */
  readonly namespace: string;
  readonly objects: Pick<Store<T>, 'get' | 'onChange'>;
  /** What the status of the object is to say; null takes a field away. Undefined leaves the object alone. */
  readonly wanted: (name: string) => { readonly [Field in keyof S]: S[Field] | null } | undefined;
  /** Of what the writer writes, and nothing else. Equal for what says the same; null is as good as absent. */
  readonly textOf: (status: { readonly [Field in keyof S]?: S[Field] | null } | undefined) => string;
  /** Of all writes together; absent: as fast as it goes. */
  readonly pace?: Pace;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Keeps the status of the objects of one kind as it should be, whoever else writes there. One request for each change
 * that is gathered, and none when the API server is known to leave out what it is given.
 */
export class StatusWriter<T extends KubernetesObject & { readonly status?: S | undefined }, S extends object> {
  readonly #options: StatusWriterOptions<T, S>;
  readonly #queue: WorkQueue;
  /** By name, by `clock.now()`. */
  readonly #writtenAt = new Map<string, number>();
  /** Where the definition of the kind lacks fields that we write: what was asked for last, and what came of it. */
  readonly #curtailed = new Map<string, { readonly asked: string; readonly came: string }>();

  constructor(options: StatusWriterOptions<T, S>) {
    this.#options = options;
    const name = `${options.resource.plural}/status`;
    this.#queue = new WorkQueue({ ...options, name, reconcile: (object) => this.#reconcile(object) });
    options.objects.onChange((key, now) => {
      const { name } = splitKey(key);
      if (now === undefined) {
        this.#writtenAt.delete(name);
        this.#curtailed.delete(name);
      }
      this.look(name);
    });
  }

  /** To be called when the status of the object may have to be another. Returns at once. */
  look(name: string, delay: number = gatherTime): void {
    const earliest = (this.#writtenAt.get(name) ?? -pause) + pause - this.#options.clock.now();
    this.#queue.addAfter(name, Math.max(delay, earliest));
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #reconcile(name: string): Promise<void> {
    const { client, resource, namespace, textOf, pace, signal, clock } = this.#options;
    const wait = this.#due(name) === undefined ? 0 : (pace?.take() ?? 0);
    if (wait > 0) await sleep(clock, wait, signal);
    const due = this.#due(name);
    if (due === undefined) return;
    const { wanted, asked } = due;
    const key = `${namespace}/${name}`;
    this.#writtenAt.set(name, clock.now());
    try {
      const written = await mergePatch(client, resource, key, { status: wanted }, { subresource: 'status', signal });
      const came = textOf(written.status);
      if (came === asked) this.#curtailed.delete(name);
      else this.#curtailed.set(name, { asked, came });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** What is to be written; undefined for nothing. */
  #due(name: string) {
    const { namespace, objects, textOf } = this.#options;
    const object = objects.get(`${namespace}/${name}`);
    const wanted = this.#options.wanted(name);
    if (object === undefined || wanted === undefined) return undefined;
    const [asked, is] = [textOf(wanted), textOf(object.status)];
    const curtailed = this.#curtailed.get(name);
    const isDone = is === asked || (curtailed?.asked === asked && curtailed.came === is);
    return isDone ? undefined : { wanted, asked };
  }
}
