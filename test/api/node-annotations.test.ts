import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { readNodeOptions } from '../../src/api/node-annotations.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/node-annotations');

for (const [annotations, weight, draining] of [
  [undefined, 1, false],
  [{}, 1, false],
  [{ 'garpoon.io/weight': '2' }, 2, false],
  [{ 'garpoon.io/weight': '0' }, 0, false],
  [{ 'garpoon.io/weight': '100', 'garpoon.io/drain': 'true' }, 100, true],
  [{ 'garpoon.io/drain': 'false' }, 1, false],
  [{ 'garpoon.io/weighty': '7', 'other/drain': 'true' }, 1, false],
] as const) {
  test(`a Node annotated ${JSON.stringify(annotations)} has weight ${weight}${draining ? ' and drains' : ''}`, () => {
    const metadata = { name: 'node-a', ...(annotations && { annotations }) };
    assert.deepEqual(readNodeOptions({ metadata }), { weight, draining, problems: [] });
  });
}

const refusedWeight = (found: string) =>
  `Node node-a: metadata.annotations[garpoon.io/weight]: must be a whole number from 0 to 100; until it is, 1 is used (found "${found}")`;

for (const [annotations, line] of [
  ...['101', '-1', '1.5', '', ' 2', '2 ', '0x2', '1e1', 'heavy', '0002'].map(
    (weight) => [{ 'garpoon.io/weight': weight }, refusedWeight(weight)] as const,
  ),
  ...['yes', '', 'True', '1'].map(
    (drain) =>
      [
        { 'garpoon.io/drain': drain },
        `Node node-a: metadata.annotations[garpoon.io/drain]: must be one of true, false (found "${drain}")`,
      ] as const,
  ),
]) {
  test(`${JSON.stringify(annotations)} is told of, and is as if it were not there`, () => {
    const { problems, ...options } = readNodeOptions({ metadata: { name: 'node-a', annotations } });
    assert.deepEqual(options, { weight: 1, draining: false });
    assert.deepEqual(problems.map(formatProblem), [line]);
  });
}
