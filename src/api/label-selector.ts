import type { Field } from './field.ts';
import type { Labels } from './resource.ts';

/** A `LabelSelector` as the API serves it. */
export type LabelSelectorResource = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

export type Requirement =
  | { readonly key: string; readonly operator: 'Equals'; readonly value: string }
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' };

/** A selector that is known to be valid. Matches when all requirements do, so an empty one matches everything. */
export class LabelSelector {
  /** In the order of their text, so that two spellings of one selector are equal. */
  readonly requirements: readonly Requirement[];

  constructor(requirements: readonly Requirement[]) {
    this.requirements = [...requirements].sort((a, b) => compareTexts(requirementText(a), requirementText(b)));
  }

  matches(labels: Labels): boolean {
    return this.requirements.every((requirement) => holds(requirement, labels));
  }

  /** As kubectl's `--selector` takes it: `tier=web,zone in (a,b),!spare`. Empty for a selector of everything. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

/** What the definitions in deploy/crds bound, so that their rules stay cheap; far beyond what people write. */
const maxSelectors = 4096;
const maxExpressions = 64;

/** Reads one selector. What is wrong is noted on the field; the requirements that could be read are returned. */
export function readLabelSelector(field: Field): LabelSelector {
  const equals = readLabels(field.at('matchLabels'));
  const expressions: Requirement[] = [];
  const seen = new Set<string>();
  for (const item of field.at('matchExpressions').items(maxExpressions)) {
    const requirement = readExpression(item.required());
    if (!requirement) continue;
    const text = requirementText(requirement);
    if (seen.has(text)) item.refuse('is listed twice: remove one of the two');
    seen.add(text);
    expressions.push(requirement);
  }
  return new LabelSelector([...equals, ...expressions]);
}

/** Reads a list of selectors, any of which may match; no selector may stand in it twice. Sorted by text. */
export function readLabelSelectors(field: Field): readonly LabelSelector[] {
  const selectors = new Map<string, LabelSelector>();
  for (const item of field.items(maxSelectors)) {
    const selector = readLabelSelector(item.required());
    const text = String(selector);
    if (selectors.has(text)) item.refuse('selects the same as an earlier entry: remove one of the two');
    selectors.set(text, selector);
  }
  return [...selectors.values()].sort((a, b) => compareTexts(String(a), String(b)));
}

/** Reads labels that a node must have, as a Pod's `nodeSelector` does: none for every node. */
export function readNodeSelector(field: Field): readonly LabelSelector[] {
  const equals = readLabels(field);
  return equals.length === 0 ? [] : [new LabelSelector(equals)];
}

export function isLabelValue(value: string): boolean {
  return value === '' || name.test(value);
}

/** By code unit, which is the same on every machine whatever its locale. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function holds(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'Equals':
      return value === requirement.value;
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return requirement satisfies never;
  }
}

function requirementText(requirement: Requirement): string {
  switch (requirement.operator) {
    case 'Equals':
      return `${requirement.key}=${requirement.value}`;
    case 'In':
      return `${requirement.key} in (${requirement.values.join(',')})`;
    case 'NotIn':
      return `${requirement.key} notin (${requirement.values.join(',')})`;
    case 'Exists':
      return requirement.key;
    case 'DoesNotExist':
      return `!${requirement.key}`;
    default:
      return requirement satisfies never;
  }
}

function readLabels(field: Field): Requirement[] {
  return Object.entries(field.textMap()).map(([key, value]) => {
    checkKey(field.at(key), key);
    checkValue(field.at(key), value);
    return { key, operator: 'Equals', value };
  });
}

function readExpression(field: Field): Requirement | undefined {
  const key = field.at('key').required().text();
  const operator = field.at('operator').required().text();
  const values = field.at('values').distinctTexts();
  if (key === undefined || operator === undefined) return undefined;
  checkKey(field.at('key'), key);
  for (const item of field.at('values').items()) checkValue(item, item.text() ?? '');
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0)
        field.at('values').refuse(`must name at least one value, because the operator is ${operator}`);
      return { key, operator, values: [...values].sort(compareTexts) };
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) field.at('values').refuse(`must be left out, because the operator is ${operator}`);
      return { key, operator };
    default:
      field.at('operator').refuse('must be one of In, NotIn, Exists, DoesNotExist');
      return undefined;
  }
}

// Label syntax of Kubernetes: a name of at most 63 characters, in a key optionally after `<DNS subdomain>/`.
const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const maxSubdomain = 253;

function checkKey(field: Field, key: string): void {
  const parts = key.split('/');
  const prefix = parts.length === 2 ? parts[0] : undefined;
  const prefixHolds = prefix === undefined || (prefix.length <= maxSubdomain && subdomain.test(prefix));
  if (parts.length > 2 || !prefixHolds || !name.test(parts.at(-1) ?? '')) {
    field.refuse(
      `${JSON.stringify(key)} is no label key: write a name of at most 63 letters, digits, -, _ and ., or prefix/name`,
    );
  }
}

function checkValue(field: Field, value: string): void {
  if (!isLabelValue(value)) {
    field.refuse(
      'is no label value: write at most 63 letters, digits, -, _ and ., with a letter or digit at both ends',
    );
  }
}
