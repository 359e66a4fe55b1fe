import { layer2PolicyName } from '../api/layer2-policy.ts';
import type { StrategyName } from '../election/strategy.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Logger } from '../runtime/logger.ts';
import { isOurs } from './member-meta.ts';

/** The part of a member that says whose speaker it is. */
type Member = { readonly name: string; readonly meta: Uint8Array };

/**
 * The election by which all speakers decide. One of MetalLB's, or one that nobody can hear of, decides by MetalLB's
 * rule, and so must everybody else, or an address would be announced by two nodes or by none. `members` is undefined
 * without a ring.
 */
export function strategyInForce(wanted: StrategyName, members: readonly Member[] | undefined): StrategyInForce {
  const obstacle = obstacleTo(members);
  if (obstacle === undefined) return { strategy: wanted };
  const { strategy, together } = { strategy: 'metallb', together: obstacle } as const;
  return wanted === 'metallb' ? { strategy, together } : { strategy, because: obstacle, together };
}

/** What keeps speakers from electing by what only ours know. */
function obstacleTo(members: readonly Member[] | undefined): string | undefined {
  if (members === undefined) return 'this speaker has no ring: set --ml-bindaddr';
  const others = members.filter(({ meta }) => !isOurs(meta)).map(({ name }) => name);
  if (others.length === 0) return undefined;
  const named = others.sort().slice(0, maxNamed).join(', ') + (others.length > maxNamed ? ', …' : '');
  return `MetalLB's speakers are in the ring, on ${named}: remove them`;
}

const maxNamed = 5;

/**
 * `because` is why it is not the one that is wanted, and what to do about it; `together` the same of why the addresses
 * of a Service that has several are all on one node.
 */
export type StrategyInForce = {
  readonly strategy: StrategyName;
  readonly because?: string;
  readonly together?: string;
};

export type StrategyNoticeOptions = {
  readonly events: Pick<EventRecorder, 'record'>;
  /** The Layer2Policies of the cluster. */
  readonly policies: () => readonly KubernetesObject[];
  readonly log: Logger;
};

/** Tells when the election that is asked for is not in force, and when it is again. */
export class StrategyNotice {
  readonly #options: StrategyNoticeOptions;
  #because: string | undefined;

  constructor(options: StrategyNoticeOptions) {
    this.#options = options;
  }

  /**
   * To be called with every state. Each speaker has its own log, but all have the same to say of the one policy: the
   * teller does. It is to be one of them, the same for all.
   */
  see({ strategy, because }: StrategyInForce, isTeller: boolean): void {
    const before = this.#because;
    this.#because = because;
    // Who is in the ring changes while speakers are being replaced, and would be told of a hundred times.
    if ((before === undefined) === (because === undefined)) return;
    const { events, policies, log } = this.#options;
    if (because !== undefined) log.warn('election not as in the Layer2Policy', { election: strategy, because });
    else log.info('election as in the Layer2Policy', { election: strategy });
    const object = isTeller ? policies().find(({ metadata }) => metadata.name === layer2PolicyName) : undefined;
    if (object === undefined) return;
    if (because !== undefined) {
      const message = `the election is metallb instead of balanced, because ${because}`;
      events.record(object, { type: 'Warning', reason: 'electionNotBalanced', message });
    } else {
      const message = `the election is ${strategy}, as it says`;
      events.record(object, { type: 'Normal', reason: 'electionInForce', message });
    }
  }
}
