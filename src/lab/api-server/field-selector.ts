import { at } from './json.ts';
import type { Selector } from './label-selector.ts';
import { badRequest } from './status.ts';

/**
 * Parses a field selector: `path=value`, `path==value`, `path!=value`, joined by commas. Only metadata.name,
 * metadata.namespace and the kind's own `fields` can be selected. Throws a 400 Status otherwise.
 */
export function parseFieldSelector(text: string, fields: readonly string[]): Selector {
  const requirements = text
    .split(/(?<!\\),/)
    .filter((part) => part.trim() !== '')
    .map((part) => parseRequirement(part, fields));
  return (object) => requirements.every((matches) => matches(object));
}

function parseRequirement(text: string, fields: readonly string[]): Selector {
  const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(text.trim());
  if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${text}'`);
  const [, field = '', operator, escaped = ''] = match;
  if (field !== 'metadata.name' && field !== 'metadata.namespace' && !fields.includes(field)) {
    throw badRequest(`field label not supported: ${field}`);
  }
  const wanted = escaped.replaceAll(/\\([,=\\])/g, '$1');
  const path = field.split('.');
  return (object) => {
    const found = at(object, ...path);
    const text = found === undefined || found === null ? '' : String(found);
    return (text === wanted) === (operator !== '!=');
  };
}
