import assert from 'node:assert/strict';
import { Allocator, type Assignment } from '../../src/allocator/allocator.ts';
import type { Refusal, Wish } from '../../src/allocator/wish.ts';
import { compile } from '../../src/config/compile.ts';
import type { Pool, Reservation } from '../../src/config/config.ts';
import { type Address, formatAddress, parseAddress } from '../../src/ip/address.ts';
import { parseRange, type Range } from '../../src/ip/range.ts';

/** Pools as the controller would get them: name, and the spec of the resource; and what their annotations say. */
export function poolsOf(
  specs: Readonly<Record<string, object>>,
  annotated: Readonly<Record<string, Partial<Pool>>> = {},
): readonly Pool[] {
  const pools = Object.entries(specs).map(([name, spec]) => ({ metadata: { name }, spec }));
  const compiled = compile({ pools, l2Advertisements: [] });
  if ('errors' in compiled) throw new Error(compiled.errors.map((error) => error.message).join('; '));
  return compiled.config.pools.map((pool) => ({ ...pool, ...annotated[pool.name] }));
}

export function reservationOf(
  parts: Partial<Omit<Reservation, 'addresses'>> & { readonly service: string; readonly addresses?: readonly string[] },
): Reservation {
  const name = parts.name ?? 'held';
  return {
    object: `AddressReservation ${name}`,
    name,
    pool: undefined,
    families: undefined,
    retainFor: 0,
    ...parts,
    addresses: (parts.addresses ?? []).map(address),
  };
}

/** Any IPv4 address for a Service of namespace `shop` without labels, unless the case says otherwise. */
export function wishOf(
  wish: Partial<Omit<Wish, 'addresses' | 'wanted'>> & {
    readonly addresses?: readonly string[];
    readonly wanted?: readonly string[];
  } = {},
): Wish {
  return {
    namespace: 'shop',
    namespaceLabels: {},
    labels: {},
    families: [4],
    familyPolicy: 'SingleStack',
    count: 1,
    pool: undefined,
    pools: [],
    sharingKey: undefined,
    backend: '',
    ports: [],
    ...wish,
    addresses: (wish.addresses ?? []).map(address),
    wanted: (wish.wanted ?? []).map(address),
  };
}

export const preferDual = { families: [4, 6], familyPolicy: 'PreferDualStack' } as const;
export const requireDual = { families: [4, 6], familyPolicy: 'RequireDualStack' } as const;

export function tcp(...ports: readonly number[]): Wish['ports'] {
  return ports.map((port) => ({ protocol: 'TCP', port }));
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`no address: ${text}`);
  return parsed;
}

export function range(text: string): Range {
  const parsed = parseRange(text);
  if (typeof parsed === 'string') throw new Error(`no range: ${text}`);
  return parsed;
}

/** `pool: address address`, with each pool's own; or the reason of the refusal. */
export function shown(outcome: Assignment | Refusal | undefined): string | undefined {
  if (outcome === undefined || 'refused' in outcome) return outcome?.refused;
  const parts: string[] = [];
  outcome.addresses.forEach(({ address, pool }, index) => {
    if (outcome.addresses[index - 1]?.pool !== pool) parts.push(`${pool}:`);
    parts.push(formatAddress(address));
  });
  return parts.join(' ');
}

/** One step of a story: who asks for what (nothing: goes away), and what it has then. */
export type StoryStep = readonly [
  service: string,
  wish: Parameters<typeof wishOf>[0] | 'gone',
  has: string | undefined,
];

/** Walks through the steps with one allocator. What a Service has when it goes is what the step says. */
export function tell(pools: readonly Pool[], steps: readonly StoryStep[]): Allocator {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  steps.forEach(([service, wish, expected], index) => {
    const outcome =
      wish === 'gone' ? allocator.release(service, 0) : allocator.assign(service, wishOf(wish), 0).outcome;
    assert.equal(shown(outcome), expected, `step ${index + 1}: ${service}`);
  });
  return allocator;
}
