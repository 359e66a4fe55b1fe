import assert from 'node:assert/strict';
import fc from 'fast-check';
import { drainedAttributes, internAttributes, mergeAttributes } from '../../src/bgp/attributes.ts';
import type { RouteAttributes } from '../../src/bgp/route.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/attributes');

const nothing = { localPref: undefined, med: undefined, communities: [], largeCommunities: [], prepend: 0 };
const attributes = (some: Partial<RouteAttributes> = {}): RouteAttributes => ({ ...nothing, ...some });

const anyAttributes = fc.record<RouteAttributes>({
  localPref: fc.constantFrom(undefined, 0, 100, 200),
  med: fc.constantFrom(undefined, 0, 7),
  communities: fc.array(fc.constantFrom(1, 2, 12, 0xffff_ffff), { maxLength: 3 }),
  largeCommunities: fc.array(fc.constantFrom([1, 2, 3] as const, [12, 3, 4] as const, [1, 23, 4] as const), {
    maxLength: 3,
  }),
  prepend: fc.nat(2),
});

test('two attributes are one object exactly when they say the same', () => {
  fc.assert(
    fc.property(anyAttributes, anyAttributes, (a, b) => {
      const [one, other] = [internAttributes(a), internAttributes(b)];
      assert.equal(one === other, JSON.stringify(meaning(a)) === JSON.stringify(meaning(b)));
      assert.deepEqual(one, meaning(a));
      assert.equal(internAttributes(one), one);
    }),
  );
});

/** With communities as numbers do sort, each once. */
function meaning(given: RouteAttributes): object {
  const { localPref, med, communities, largeCommunities, prepend } = given;
  const large = [...new Set(largeCommunities.map((value) => JSON.stringify(value)))].map((text) => JSON.parse(text));
  return {
    localPref,
    med,
    communities: [...new Set(communities)].sort((a, b) => a - b),
    largeCommunities: large.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
    prepend,
  };
}

for (const [fact, several, merged] of [
  ['all communities', [{ communities: [1, 3] }, { communities: [2, 3] }], { communities: [1, 2, 3] }],
  ['large communities, too', [{ largeCommunities: [[1, 1, 1]] }, {}], { largeCommunities: [[1, 1, 1]] }],
  ['the highest local preference', [{ localPref: 150 }, { localPref: 200 }], { localPref: 200 }],
  ['the local preference of 100 that nothing means', [{ localPref: 50 }, {}], { localPref: undefined }],
  ['one above that', [{ localPref: 101 }, {}], { localPref: 101 }],
  ['the lowest metric', [{ med: 7 }, { med: 0 }, {}], { med: 0 }],
  ['the shortest path', [{ prepend: 3 }, { prepend: 1 }], { prepend: 1 }],
] as const) {
  test(`a route that several ask for has ${fact}`, () => {
    const given = several.map((one) => attributes(one as Partial<RouteAttributes>));
    const [first, ...others] = given;
    assert.ok(first);
    assert.deepEqual(mergeAttributes([first, ...others]), attributes(merged as unknown as Partial<RouteAttributes>));
    assert.equal(mergeAttributes([first, ...others]), mergeAttributes([...others, first] as [RouteAttributes]));
  });
}

test('attributes are drained by GRACEFUL_SHUTDOWN and no local preference, once', () => {
  const drained = drainedAttributes(attributes({ localPref: 300, med: 5, communities: [1] }));
  assert.deepEqual(drained, attributes({ localPref: 0, med: 5, communities: [1, 65_535 * 65_536] }));
  assert.equal(drainedAttributes(drained), drained);
});
