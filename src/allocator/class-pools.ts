import type { Pool } from '../config/config.ts';
import { type Refusal, refusal } from './wish.ts';

/** Why a Service that is not bound to the class of one of these pools may not have what is in it; undefined: of no class. */
export function notOfClass(pools: readonly Pool[]): Refusal | undefined {
  const pool = pools.find(({ ofClass }) => ofClass);
  if (pool === undefined) return undefined;
  const { name } = pool;
  const remedy = `name ${name} in spec.loadBalancerClass, or in the annotation network.deckhouse.io/metal-load-balancer-class`;
  return refusal(
    'pool-not-for-service',
    `pool ${name} is for Services of the MetalLoadBalancerClass ${name} alone: ${remedy}`,
  );
}
