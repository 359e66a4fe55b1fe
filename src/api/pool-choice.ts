import type { Field } from './field.ts';
import { compareTexts, type LabelSelector, readLabelSelectors } from './label-selector.ts';

/** Which pools an advertisement is about: those named, and those whose labels match a selector. */
export type PoolChoice = 'all' | { readonly names: readonly string[]; readonly selectors: readonly LabelSelector[] };

/** Reads `ipAddressPools` and `ipAddressPoolSelectors`. Lists are sorted: their order means nothing. */
export function readPoolChoice(spec: Field): PoolChoice {
  const names = [...spec.at('ipAddressPools').distinctTexts()].sort(compareTexts);
  const selectors = readLabelSelectors(spec.at('ipAddressPoolSelectors'));
  return names.length + selectors.length === 0 ? 'all' : { names, selectors };
}
