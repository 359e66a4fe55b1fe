import { type ApiObject, type JsonObject, objectAt, objectsAt, stringAt, stringsAt } from './json.ts';
import { badRequest } from './status.ts';

export type Selector = (object: ApiObject) => boolean;

/** Longest selector text that is parsed; the URL's own limit is larger. */
const maxSelectorLength = 4096;

const key = '[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?';
const value = '(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?';
const setForm = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const equalityForm = new RegExp(`^(${key})\\s*(==|=|!=)\\s*(${value})$`);
const existsForm = new RegExp(`^(!?)\\s*(${key})$`);

/**
 * Parses a label selector: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined by commas.
 * Throws a 400 Status when it is none.
 */
export function parseLabelSelector(text: string): Selector {
  if (text.length > maxSelectorLength) throw badRequest(`label selector is longer than ${maxSelectorLength}`);
  const requirements = splitTopLevel(text).map(parseRequirement);
  return (object) => {
    const labels = objectAt(object, 'metadata', 'labels');
    return requirements.every((matches) => matches(labels));
  };
}

/** The other form, of fields named …Selector: `matchLabels` and `matchExpressions`. An empty one matches everything. */
export function matchesSelector(selector: JsonObject, object: ApiObject): boolean {
  const labels = objectAt(object, 'metadata', 'labels');
  const equal = Object.entries(objectAt(selector, 'matchLabels')).every(([label, wanted]) => labels[label] === wanted);
  return equal && objectsAt(selector, 'matchExpressions').every((expression) => meets(labels, expression));
}

function meets(labels: Readonly<Record<string, unknown>>, expression: JsonObject): boolean {
  const label = stringAt(expression, 'key');
  const values = stringsAt(expression, 'values');
  const isListed = values.includes(String(labels[label]));
  switch (stringAt(expression, 'operator')) {
    case 'In':
      return Object.hasOwn(labels, label) && isListed;
    case 'NotIn':
      return !Object.hasOwn(labels, label) || !isListed;
    case 'Exists':
      return Object.hasOwn(labels, label);
    case 'DoesNotExist':
      return !Object.hasOwn(labels, label);
    default:
      return false; // refused when it was written
  }
}

type Requirement = (labels: Readonly<Record<string, unknown>>) => boolean;

function parseRequirement(text: string): Requirement {
  const equality = equalityForm.exec(text);
  if (equality !== null) {
    const [, label = '', operator, wanted] = equality;
    return operator === '!=' ? (labels) => labels[label] !== wanted : (labels) => labels[label] === wanted;
  }
  const set = setForm.exec(text);
  if (set !== null) {
    const [, label = '', operator, list = ''] = set;
    const values = new Set<unknown>(list.split(',').map((item) => item.trim()));
    return operator === 'in' ? (labels) => values.has(labels[label]) : (labels) => !values.has(labels[label]);
  }
  const exists = existsForm.exec(text);
  if (exists !== null) {
    const [, not, label = ''] = exists;
    return (labels) => Object.hasOwn(labels, label) === (not === '');
  }
  throw badRequest(`unable to parse requirement: found '${text}', expected: a label requirement`);
}

/** Splits at the commas that are not inside parentheses. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const character = text[i];
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (i < text.length && (character !== ',' || depth > 0)) continue;
    const part = text.slice(start, i).trim();
    if (part !== '') parts.push(part);
    start = i + 1;
  }
  return parts;
}
