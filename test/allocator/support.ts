import type { Wish } from '../../src/allocator/wish.ts';
import { compile } from '../../src/config/compile.ts';
import type { Pool } from '../../src/config/config.ts';
import { type Address, formatAddress, parseAddress } from '../../src/ip/address.ts';

/** Pools as the controller would get them: name, and the spec of the resource. */
export function poolsOf(specs: Readonly<Record<string, object>>): readonly Pool[] {
  const pools = Object.entries(specs).map(([name, spec]) => ({ metadata: { name }, spec }));
  const compiled = compile({ pools, l2Advertisements: [] });
  if ('errors' in compiled) throw new Error(compiled.errors.map((error) => error.message).join('; '));
  return compiled.config.pools;
}

/** Any IPv4 address for a Service of namespace `shop` without labels, unless the case says otherwise. */
export function wishOf(wish: Partial<Omit<Wish, 'addresses'>> & { readonly addresses?: readonly string[] } = {}): Wish {
  return {
    namespace: 'shop',
    namespaceLabels: {},
    labels: {},
    families: [4],
    familyPolicy: 'SingleStack',
    pool: undefined,
    sharingKey: undefined,
    backend: '',
    ports: [],
    ...wish,
    addresses: (wish.addresses ?? []).map(address),
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

/** `pool: address address`, or the reason of the refusal. */
export function shown(
  outcome: { pool: string; addresses: readonly Address[] } | { refused: string } | undefined,
): string | undefined {
  if (outcome === undefined || 'refused' in outcome) return outcome?.refused;
  return `${outcome.pool}: ${outcome.addresses.map(formatAddress).join(' ')}`;
}
