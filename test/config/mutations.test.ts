import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ApiProblem, formatProblem } from '../../src/api/field.ts';
import { needExpressions } from '../../src/lab/api-server/schema/expression.ts';
import { suite } from '../support/suite.ts';
import { compileAll, fixtures, type Resource, refusalsOfServer } from './fixtures.ts';

/**
 * The fixtures with something changed at a place nobody thought of: still, what the API server takes on the strength of
 * the definitions alone, we take, but for the rules that it cannot know.
 */
const test = suite('config/mutations');

test.before(() => needExpressions());

type Path = readonly (string | number)[];
type Mutation = { readonly object: Resource; readonly path: Path };

const originals = [...fixtures('good'), ...fixtures('bad')].flatMap(({ objects }) => objects);

/** What people and programs put where something else belongs. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, -1, 2, 32, 33, 128, 129, 255, 256, 16_384, 65_536, 2 ** 32, 1.5),
  fc.constantFrom<unknown>('', 'a', 'A/b', '-a', 'a-', 'x'.repeat(64), '0', '7', '*', ' ', '\u00e4'),
  fc.constantFrom<unknown>('0s', '1s', '3s', '2999ms', '1h', '90', '-1s', '65535s', '1.5s', '1m0.5s'),
  fc.constantFrom<unknown>('192.0.2.1', '192.0.2.0/24', '192.0.2.9-192.0.2.1', '2001:db8::1', '2001:db8::/64', '::/0'),
  fc.constantFrom<unknown>('0.0.0.0/0', '127.0.0.1', 'ff02::1', '10.0.0.0-10.0.0.9', '1.1.1.1-255.0.0.0', '/', '-'),
  fc.constantFrom<unknown>('1:1', '65536:1', 'large:1:1:1', 'a:b', 'In', 'Exists', 'internal', 'IPv4', 'IPv6'),
  fc.constantFrom<unknown>([], {}, [[]], [{}], ['a'], ['a', 'a'], { a: 'b' }, [null], [7], { a: null }),
);

const anyMutation: fc.Arbitrary<Mutation> = fc
  .tuple(fc.constantFrom(...originals), fc.nat(), fc.constantFrom('remove', 'repeat', 'put'), anyValue)
  .map(([original, place, how, value]) => {
    const object = structuredClone(original) as Resource & { readonly spec?: unknown };
    const paths = pathsIn(object.spec, ['spec']);
    const path = paths[place % paths.length] ?? ['spec'];
    const parent = path.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], object);
    const key = path.at(-1) as string & number;
    const holder = parent as Record<string, unknown> & unknown[];
    if (how === 'put') holder[key] = value;
    else if (how === 'repeat' && Array.isArray(parent)) parent.push(structuredClone(parent[key]));
    else if (Array.isArray(parent)) parent.splice(key, 1);
    else delete holder[key];
    return { object, path };
  });

test('a changed resource is refused by both or by neither, but for what only we can see', () => {
  fc.assert(
    fc.property(anyMutation, ({ object }) => {
      const compiled = compileAll([object]);
      const errors = 'errors' in compiled ? compiled.errors.filter((error) => !isAboutOthers(error)) : [];
      const refusals = refusalsOfServer([object]);
      if (refusals.length > 0) assert.notDeepEqual(errors, [], `taken, but ${JSON.stringify(refusals)}`);
      else assert.deepEqual(errors.filter((error) => !isBeyondDefinitions(error)).map(formatProblem), []);
    }),
    { numRuns: 3_000 },
  );
});

/** Of one resource and another, or of two ranges of one pool. */
function isAboutOthers({ message }: ApiProblem): boolean {
  return /^(overlaps with|is wider than|names no BFDProfile|is neither a community nor)/.test(message);
}

/**
 * Keys and annotations cannot be checked by rules; lists whose order means nothing cannot be compared by them, nor IPv6 addresses; and
 * v1beta1 has fields that it requires and that say nothing when they are empty.
 */
function isBeyondDefinitions({ message, field, value }: ApiProblem): boolean {
  if (field.startsWith('metadata.')) return true;
  if (message.includes('is no label key')) return /\.(matchLabels|nodeSelector)/.test(field);
  if (message.startsWith('ends before it starts')) return String(value).includes(':');
  return /^(selects the same as|is listed twice|needs (peerASN|peerAddress))/.test(message);
}

function pathsIn(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, below]) => pathsIn(below, [...path, step(value, key)]))];
}

function step(parent: object, key: string): string | number {
  return Array.isArray(parent) ? Number(key) : key;
}
