import { OrderedMap } from './ordered-map.ts';

/** Those who wait for the same, so that none of them can be helped when the first one can not. */
export type Queue = {
  readonly name: string;
  /** What has to happen before any of them can be helped. */
  readonly topics: readonly string[];
};

/**
 * Who waits for what, in the order in which they began to. When something happens, only the first of each queue that
 * it concerns is looked at; the next one's turn comes when that one has been served, or has turned out not to be.
 *
 *   topic ──▶ queues ──▶ waiting, longest first ──▶ called (one of each queue at a time)
 */
export class WaitingList {
  readonly #waiting = new Map<string, Waiting>();
  readonly #queues = new Map<string, Line>();
  readonly #linesByTopic = new Map<string, Set<Line>>();
  /** Something has happened that concerns them since `call`. */
  readonly #stirredLines = new Set<Line>();
  readonly #stirredKeys = new Set<string>();
  #tickets = 0;

  get size(): number {
    return this.#waiting.size;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** From now on the key waits in these queues, and no others. One that waited already keeps its turn. */
  put(key: string, queues: readonly Queue[]): void {
    const before = this.#waiting.get(key);
    this.remove(key);
    const ticket = before?.ticket ?? this.#tickets++;
    const lines = queues.map((queue) => this.#lineOf(queue));
    const waiting = { key, ticket, lines };
    for (const line of lines) line.waiting.set(ticket, waiting);
    this.#waiting.set(key, waiting);
  }

  /** The key waits for nothing any more. */
  remove(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    this.#stirredKeys.delete(key);
    for (const line of waiting.lines) {
      line.waiting.delete(waiting.ticket);
      if (line.called === waiting) {
        // Whether it was served or not: what it was called for may still be there for the next.
        line.called = undefined;
        this.#stirredLines.add(line);
      }
      if (line.waiting.size === 0) this.#close(line);
    }
  }

  /** Something has happened. */
  stir(topic: string): void {
    for (const line of this.#linesByTopic.get(topic) ?? []) this.#stirredLines.add(line);
  }

  /** Something has happened that concerns just this key. */
  stirKey(key: string): void {
    if (this.#waiting.has(key)) this.#stirredKeys.add(key);
  }

  /** Those whom something that has happened helps, by the answer of `isHelped`. To be put or removed by the caller. */
  call(isHelped: (key: string) => boolean): readonly string[] {
    const called = [...this.#stirredKeys].filter(isHelped);
    this.#stirredKeys.clear();
    for (const line of this.#stirredLines) {
      const first = line.called ? undefined : line.waiting.first();
      if (first === undefined || !isHelped(first.key)) continue;
      line.called = first;
      called.push(first.key);
    }
    this.#stirredLines.clear();
    return [...new Set(called)];
  }

  #lineOf(queue: Queue): Line {
    const known = this.#queues.get(queue.name);
    if (known) return known;
    const line: Line = { queue, waiting: new OrderedMap(), called: undefined };
    this.#queues.set(queue.name, line);
    for (const topic of queue.topics) {
      const lines = this.#linesByTopic.get(topic) ?? new Set();
      this.#linesByTopic.set(topic, lines.add(line));
    }
    return line;
  }

  #close(line: Line): void {
    this.#queues.delete(line.queue.name);
    this.#stirredLines.delete(line);
    for (const topic of line.queue.topics) {
      const lines = this.#linesByTopic.get(topic);
      lines?.delete(line);
      if (lines?.size === 0) this.#linesByTopic.delete(topic);
    }
  }
}

type Waiting = { readonly key: string; readonly ticket: number; readonly lines: readonly Line[] };

type Line = {
  readonly queue: Queue;
  /** By ticket. */
  readonly waiting: OrderedMap<number, Waiting>;
  /** The one whose turn it is. */
  called: Waiting | undefined;
};
