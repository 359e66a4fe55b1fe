import assert from 'node:assert/strict';
import { servingEndpoints } from '../../src/election/endpoints.ts';
import { suite } from '../support/suite.ts';

const test = suite('election/endpoints');

for (const [name, conditions, serves] of [
  ['ready', { ready: true }, true],
  ['not ready', { ready: false }, false],
  ['shutting down and still serving', { ready: false, serving: true }, true],
  ['shutting down and no longer serving', { ready: false, serving: false }, false],
  ['ready and, oddly, not serving', { ready: true, serving: false }, true],
  ['of unknown readiness', { ready: null }, true],
  ['without conditions', {}, true],
  ['without the object', undefined, true],
] as const) {
  test(`an endpoint ${name} ${serves ? 'serves' : 'does not serve'}`, () => {
    const endpoint = { nodeName: 'node-a', ...(conditions && { conditions }) };
    const { any, nodes } = servingEndpoints([{ endpoints: [endpoint] }]);
    assert.deepEqual([any, [...nodes]], serves ? [true, ['node-a']] : [false, []]);
  });
}

test('all slices of a Service count, and an endpoint without a node counts for no node', () => {
  const slices = [
    { endpoints: [{ nodeName: 'node-a' }, { nodeName: 'node-b', conditions: { ready: false } }] },
    { endpoints: [{ nodeName: 'node-c' }, { nodeName: null }, {}] },
    { endpoints: null },
    {},
  ];
  const { any, nodes } = servingEndpoints(slices);
  assert.equal(any, true);
  assert.deepEqual([...nodes].sort(), ['node-a', 'node-c']);
});

test('an endpoint without a node is enough for the Service to serve', () => {
  assert.deepEqual(servingEndpoints([{ endpoints: [{}] }]), { any: true, nodes: new Set() });
});

test('no slices serve nothing', () => assert.deepEqual(servingEndpoints([]), { any: false, nodes: new Set() }));
