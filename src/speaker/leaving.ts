import { candidacyOf } from '../election/candidacy.ts';
import type { Node } from '../kubernetes/core.ts';
import { electionNode, isGoingDown } from './node-facts.ts';

/**
 * What becomes of what a node announces when its speaker ends. `stay`: with a speaker that takes its place in a moment, it
 * can stay. `hand-over`: others are to have it, while this node still serves. `lost`: it leads nowhere.
 */
export type Leaving = 'stay' | 'hand-over' | 'lost';

const leadNowhere: ReadonlySet<string | undefined> = new Set([
  'nodeNotReady',
  'nodeOutOfService',
  'nodeNetworkUnavailable',
]);

/** Of routes, by what is known of the node; undefined: nothing. Its weight is about addresses that one node has alone. */
export function leavingOfRoutes(own: Node | undefined, ignoreExcludeLabel: boolean): Leaving {
  if (own === undefined || isGoingDown(own)) return 'lost';
  const { planned, reason } = candidacyOf(electionNode(own), rulesFor(ignoreExcludeLabel));
  if (leadNowhere.has(reason)) return 'lost';
  return planned && reason !== 'nodeWeightZero' ? 'hand-over' : 'stay';
}

/** Of addresses on the LAN. A node that goes down had better hand over as well: others hear of it at once. */
export function leavingOfAddresses(own: Node | undefined, ignoreExcludeLabel: boolean): Exclude<Leaving, 'lost'> {
  const candidacy = own && candidacyOf(electionNode(own), rulesFor(ignoreExcludeLabel));
  return candidacy?.may === true && !candidacy.planned ? 'stay' : 'hand-over';
}

function rulesFor(ignoreExcludeLabel: boolean) {
  return { election: 'balanced', oursAlone: true, ignoreExcludeLabel } as const;
}
