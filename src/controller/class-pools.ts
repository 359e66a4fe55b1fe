import type { Wish } from '../allocator/wish.ts';
import type { Config } from '../config/config.ts';

/**
 * The wish as the Service's own words put it. Naming the pool of a load balancer class is no way into it: the allocator
 * gives such a pool to a wish that has it as its only one, and that is for the binding of the Service to the class to say,
 * after this.
 */
export function askedByName<T extends Pick<Wish, 'pool' | 'pools'>>(wish: T, { classes }: Pick<Config, 'classes'>): T {
  const { pool } = wish;
  const isOfClass = pool !== undefined && classes.some(({ name }) => name === pool);
  return isOfClass ? { ...wish, pool: undefined, pools: [pool] } : wish;
}
