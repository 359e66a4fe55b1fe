import type { Assignment } from '../allocator/allocator.ts';
import type { Wish } from '../allocator/wish.ts';
import type { Service } from '../kubernetes/core.ts';
import type { Findings } from './assigned-condition.ts';
import { boundClass, type ClassBinding, classConditionType } from './class-binding.ts';

/** Deckhouse's condition on whether a Service has as many addresses as it asks for. */
const allAssignedType = 'AllPublicIPsAssigned';

/** Those that are there for Services of a class alone. */
export const noClassConditions: Findings = { [classConditionType]: undefined, [allAssignedType]: undefined };

/** What Deckhouse's conditions say on a Service; about one that is of no class, nothing; while that is gone, as before. */
export function classFindings(
  service: Service,
  binding: ClassBinding | undefined,
  wish: Pick<Wish, 'families' | 'count'>,
  assignment: Assignment | undefined,
): Findings {
  const wasBound = boundClass(service) !== undefined;
  if (binding?.state === 'gone') return {};
  if (binding === undefined || binding.state === 'unknown') return wasBound ? noClassConditions : {};
  const assigned = assignment?.addresses.length ?? 0;
  const asked = wish.families.length * wish.count;
  const isBound = wasBound || assigned > 0;
  return {
    // For good, so not before there is something to be bound to.
    ...(isBound
      ? { [classConditionType]: { status: 'True', reason: 'LoadBalancerClassBound', message: binding.name } }
      : {}),
    [allAssignedType]: {
      status: assigned >= asked ? 'True' : 'False',
      reason: assigned >= asked ? 'AllIPsAssigned' : 'NotAllIPsAssigned',
      message: `${assigned} of ${asked} public IPs were assigned`,
    },
  };
}
