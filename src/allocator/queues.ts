import type { Address, Family } from '../ip/address.ts';
import { lacking, type Place } from './choice.ts';
import type { PoolSpace } from './pool-space.ts';
import { termsOf } from './tenancy.ts';
import type { Queue } from './waiting-list.ts';
import type { RefusalReason, ServiceKey, Wish } from './wish.ts';

/** What can happen that helps somebody, as text. */
export const topics = {
  room: (pool: string, family: Family) => `room ${family} ${pool}`,
  opening: (pool: string, sharing: string) => `opening ${pool} ${sharing}`,
  address: ({ family, value }: Address) => `address ${family} ${value}`,
};

/**
 * Where a Service waits that lacks addresses of these pools: for one that anybody may be given, and if it shares, for
 * one that it may share. Services in one queue are alike in what decides whether the pools can help them.
 */
export function queuesForRoom(
  spaces: readonly PoolSpace[],
  service: ServiceKey,
  wish: Wish,
  has: readonly Place[],
): readonly Queue[] {
  const families = wish.families.filter((family) => lacking(family, wish, has) > 0);
  const needsEach = families.length > 1 && has.length === 0 && wish.familyPolicy !== 'PreferDualStack';
  const from = wish.pools.length > 0 ? 'several pools' : 'one pool';
  const how = `${needsEach ? `each${claimText(spaces, service)}` : 'any'} of IPv${families} from ${from}`;
  const rooms = spaces.flatMap(({ pool }) => families.map((family) => topics.room(pool.name, family)));
  const room = queue(how, rooms);
  if (!wish.sharingKey) return [room];
  const openings = spaces.map(({ pool }) => topics.opening(pool.name, termsOf(wish, pool.sharingScope).sharing ?? ''));
  // One that has addresses already keeps another like it from them by its ports; without any, it is like no other.
  const who = has.length > 0 && wish.ports.length === 0 ? ` ${service}` : '';
  return [room, queue(`${how}, ${sharerText(wish)}${who}`, needsEach ? [...openings, ...rooms] : openings)];
}

/** Where a Service waits that lacks just these addresses, which are of these pools. */
export function queuesForAddresses(
  spaces: readonly PoolSpace[],
  service: ServiceKey,
  wish: Wish,
  addresses: readonly Address[],
): readonly Queue[] {
  return [queue(`${sharerText(wish)}${claimText(spaces, service)}`, addresses.map(topics.address))];
}

/** Where a Service waits that is like no other: for all that these wait for. */
export function ownQueue(service: ServiceKey, queues: readonly Queue[]): Queue {
  return queue(service, [...new Set(queues.flatMap(({ topics }) => topics))]);
}

/** The topics are part of the name, because those of one pool change with the pool. */
function queue(who: string, topics: readonly string[]): Queue {
  return { name: `${who}: ${topics.join(', ')}`, topics };
}

/** Whether what stands against an address can end without a change of the pools or of the Service. */
export function canPass(reason: RefusalReason): boolean {
  return passing.has(reason);
}

const passing: ReadonlySet<RefusalReason> = new Set([
  'exhausted',
  'incomplete',
  'in-use',
  'port-conflict',
  'address-reserved',
  'cooling-down',
  'node-address',
]);

/**
 * Who needs several addresses at once, and has a reserved one among them, can be helped when others can not: a queue of
 * its own.
 */
function claimText(spaces: readonly PoolSpace[], service: ServiceKey): string {
  return spaces.some((space) => space.withholdsFor(service)) ? ` ${service}` : '';
}

/** What decides with whom the Service may share. */
function sharerText({ sharingKey, backend, namespace, ports }: Wish): string {
  return sharingKey ? JSON.stringify([sharingKey, backend, namespace, ports]) : '';
}
