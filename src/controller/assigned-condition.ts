import type { Decision } from '../allocator/allocator.ts';
import type { RefusalReason, Wish } from '../allocator/wish.ts';
import { assignedText } from '../allocator/words.ts';
import type { WishReason } from '../api/service-wish.ts';
import type { Condition } from '../kubernetes/core.ts';
import { formatSeconds } from '../runtime/clock.ts';

/** Whether a Service has the addresses that it asks for. On every LoadBalancer of ours, and on no other Service. */
export const assignedType = 'garpoon.io/AddressesAssigned';

/** The most of a message that is kept. */
const maxMessageLength = 1_024;

export type Finding = Pick<Condition, 'status' | 'reason' | 'message'>;

/** What conditions of these types say; those of an undefined finding are not there. */
export type Findings = Readonly<Record<string, Finding | undefined>>;

/** What the allocator's decision on the wish comes to. */
export function findingOf({ outcome, missing }: Pick<Decision, 'outcome' | 'missing'>, wish: Wish): Finding {
  if ('refused' in outcome) return lacking(refusalReasons[outcome.refused], outcome.detail);
  if (missing === undefined) return assigned(assignedText(wish, outcome.addresses));
  const counts = wish.families.map((at) => outcome.addresses.filter(({ address }) => address.family === at).length);
  const isOfOneFamily = counts.every((count) => count === 0 || count === wish.count);
  // Whoever only prefers a second family is served by one.
  if (wish.familyPolicy === 'PreferDualStack' && isOfOneFamily) return assigned(`one family: ${missing.detail}`);
  return lacking(refusalReasons[missing.refused], missing.detail);
}

/** The Service asks for something that cannot be met by anything. */
export function findingOfProblem({ problem, reason }: { problem: string; reason: WishReason }): Finding {
  return lacking(problemReasons[reason], problem);
}

/** The bound class is gone: the Service keeps what it has. */
export function findingOfGone(name: string): Finding {
  return lacking('ClassGone', goneText(name));
}

export function goneText(name: string): string {
  return (
    `the Service is bound to the load balancer class ${name}, which is gone, and is given no other addresses: ` +
    'bring the class back, or name a pool in garpoon.io/address-pools'
  );
}

/** The conditions with these as found, or without them; others stay. Undefined when they say so already. */
export function changedConditions(
  conditions: readonly Condition[] = [],
  findings: Findings,
  now: number,
): readonly Condition[] | undefined {
  let changed: readonly Condition[] = conditions;
  for (const [type, finding] of Object.entries(findings)) changed = withFinding(changed, type, finding, now);
  return changed === conditions ? undefined : changed;
}

export function hasCondition(conditions: readonly Condition[] = []): boolean {
  return conditions.some(({ type }) => type === assignedType);
}

/** The same list when it says so already. */
function withFinding(
  conditions: readonly Condition[],
  type: string,
  finding: Finding | undefined,
  now: number,
): readonly Condition[] {
  const own = conditions.find((condition) => condition.type === type);
  if (finding === undefined ? own === undefined : own !== undefined && saysSame(own, finding)) return conditions;
  const others = conditions.filter((condition) => condition.type !== type);
  if (finding === undefined) return others;
  const lastTransitionTime = own?.status === finding.status ? own.lastTransitionTime : formatSeconds(now);
  return [...others, { type, ...finding, lastTransitionTime }];
}

function assigned(message: string): Finding {
  return { status: 'True', reason: 'Assigned', message };
}

function lacking(reason: string, message: string): Finding {
  return { status: 'False', reason, message: message.slice(0, maxMessageLength) };
}

/**
 * Whether nothing but a pool's count is another: while pools fill up, those who wait are not told each time. How many
 * addresses are assigned is news.
 */
function saysSame(a: Finding, b: Finding): boolean {
  return a.status === b.status && a.reason === b.reason && withoutCounts(a.message) === withoutCounts(b.message);
}

/** Numbers that stand alone, behind `assigned` if that is said; those in addresses and names tell one from another. */
function withoutCounts(message: string): string {
  const [, own = '', rest = ''] = /^(.*? assigned\b)?(.*)$/s.exec(message) ?? [];
  return own + rest.replace(/(?<=^|[ (])\d+(?=[ ),;]|$)/g, '#');
}

const refusalReasons: Readonly<Record<RefusalReason, string>> = {
  'no-such-pool': 'NoSuchPool',
  'pool-not-for-service': 'PoolNotForService',
  'pool-draining': 'PoolDraining',
  'no-pool': 'NoPool',
  'not-in-pool': 'AddressNotInPool',
  'other-pool': 'AddressInOtherPool',
  'address-avoided': 'AddressAvoided',
  'address-excluded': 'AddressExcluded',
  'address-reserved': 'AddressReserved',
  'cooling-down': 'AddressCoolingDown',
  'node-address': 'AddressOfNode',
  'not-requested': 'AddressNotRequested',
  'family-mismatch': 'FamilyMismatch',
  'in-use': 'AddressInUse',
  'port-conflict': 'PortConflict',
  exhausted: 'PoolFull',
  incomplete: 'Incomplete',
};

const problemReasons: Readonly<Record<WishReason, string>> = {
  'no-cluster-ips': 'NoClusterIPs',
  'invalid-cluster-ips': 'InvalidClusterIPs',
  'not-enough-cluster-ips': 'NotEnoughClusterIPs',
  'requested-twice': 'RequestedTwice',
  'invalid-load-balancer-ips': 'InvalidLoadBalancerIPs',
  'invalid-external-ips': 'InvalidExternalIPs',
  'invalid-external-ips-count': 'InvalidExternalIPsCount',
  'invalid-address-pools': 'InvalidAddressPools',
  'family-mismatch': 'FamilyMismatch',
};
