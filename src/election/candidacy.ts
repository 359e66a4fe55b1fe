import type { Labels } from './advertisement.ts';

/**
 * Whether a node may announce at all, whatever the address, and how it loses what it has.
 *
 *     what is known of the node             metallb, with one of its   metallb, with      balanced
 *                                           speakers in the ring       ours alone
 *     condition NetworkUnavailable          loses at once              loses at once      loses at once
 *     label exclude-from-external-load-     hands over                 hands over         hands over
 *       balancers, unless it is ignored
 *     taint out-of-service                  -                          loses at once      loses at once
 *     annotation drain                      -                          comes last         comes last
 *     annotation weight 0                   -                          -                  comes last
 *     taints not-ready and unreachable      -                          -                  comes last
 *     cordon (unschedulable)                -                          -                  -
 *
 * - Loses at once: whatever it announces leads nowhere. The others do not wait for it.
 * - Hands over: it may not announce, and yet can, so it goes on until its successor has announced.
 * - Comes last: it hands over as well; where nobody else may announce an address, it still does.
 *
 * MetalLB's speakers know the first two rows. While one of them is in the ring the others are not looked at, or an
 * address would be announced by two nodes or by none. That a node is not ready says nothing about its network: a
 * control plane that is cut off taints them all. Hence it never loses what nobody else may have, and with `metallb`
 * nothing at all, as there. Cordon is about new Pods.
 */
export function candidacyOf(node: NodeFacts, { election, oursAlone, ignoreExcludeLabel }: CandidacyRules): Candidacy {
  const { weight = 1 } = node;
  const lost = (reason: CandidacyReason, planned: boolean): Candidacy => ({ may: false, reason, planned, weight });
  const last = (reason: CandidacyReason): Candidacy => ({ may: true, reason, planned: true, weight });
  const isBalanced = election === 'balanced';
  if (node.networkUnavailable) return lost('nodeNetworkUnavailable', false);
  if ((isBalanced || oursAlone) && node.outOfService) return lost('nodeOutOfService', false);
  if (!ignoreExcludeLabel && Object.hasOwn(node.labels, excludeLabel)) return lost('nodeLabeledExcludeBalancers', true);
  if ((isBalanced || oursAlone) && node.draining) return last('nodeDraining');
  if (isBalanced && node.notReady) return last('nodeNotReady');
  if (isBalanced && weight === 0) return last('nodeWeightZero');
  return { may: true, planned: false, weight };
}

/** Those that may announce: all that need not hand over, or, failing these, those that come last. */
export function firstChoice<T extends { readonly candidacy: Candidacy }>(nodes: readonly T[]): readonly T[] {
  const able = nodes.filter(({ candidacy }) => candidacy.may);
  const steady = able.filter(({ candidacy }) => !candidacy.planned);
  return steady.length > 0 ? steady : able;
}

/** What an election knows of a node. What is absent is not so: most nodes have none of it. */
export type NodeFacts = {
  readonly name: string;
  readonly labels: Labels;
  /** Whether the Node has the condition NetworkUnavailable=True. */
  readonly networkUnavailable: boolean;
  /** A whole number from 0 to 100; 1 when absent. */
  readonly weight?: number;
  /** Whether somebody asks it to hand over what it announces. */
  readonly draining?: boolean;
  /** Whether somebody says that it is shut down and will not come back by itself. */
  readonly outOfService?: boolean;
  /** Whether the control plane finds it not ready, or does not hear of it. */
  readonly notReady?: boolean;
};

/** The same for all nodes, and on all nodes. */
export type CandidacyRules = {
  readonly election: 'metallb' | 'balanced';
  /** Whether no speaker of MetalLB is in the ring. */
  readonly oursAlone: boolean;
  /** Whether nodes labelled `node.kubernetes.io/exclude-from-external-load-balancers` announce all the same. */
  readonly ignoreExcludeLabel: boolean;
};

/**
 * `reason` is why it may not, or comes last; `planned`, whether it is to hand over what it announces, and goes on until
 * its successor has announced.
 */
export type Candidacy = { readonly planned: boolean; readonly weight: number } & (
  | { readonly may: true; readonly reason?: CandidacyReason }
  | { readonly may: false; readonly reason: CandidacyReason }
);

export type CandidacyReason =
  | 'nodeNetworkUnavailable'
  | 'nodeLabeledExcludeBalancers'
  | 'nodeOutOfService'
  | 'nodeDraining'
  | 'nodeNotReady'
  | 'nodeWeightZero';

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
