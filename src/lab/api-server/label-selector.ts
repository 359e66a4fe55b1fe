import { type ApiObject, objectAt } from './json.ts';
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
