import { formatProblem } from '../api/field.ts';
import { readNodeOptions } from '../api/node-annotations.ts';
import type { Node } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Logger } from '../runtime/logger.ts';

export type NodeWarningsOptions = {
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
};

/** Tells of annotations of a Node that cannot be read, once until they change. For our own: each speaker sees to one. */
export class NodeWarnings {
  readonly #options: NodeWarningsOptions;
  #told = '';

  constructor(options: NodeWarningsOptions) {
    this.#options = options;
  }

  /** To be called with every state of the Node. */
  see(node: Node): void {
    const problems = readNodeOptions(node).problems.map(formatProblem);
    const text = problems.join('; ');
    if (text === this.#told) return;
    this.#told = text;
    if (problems.length === 0) return;
    const { events, log } = this.#options;
    log.warn('node annotations refused', { problems });
    const involved = { ...node, apiVersion: 'v1', kind: 'Node' };
    events.record(involved, { type: 'Warning', reason: 'invalidAnnotation', message: text });
  }
}
