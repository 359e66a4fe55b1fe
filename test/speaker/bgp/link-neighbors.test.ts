import assert from 'node:assert/strict';
import { LinkNeighbors } from '../../../src/speaker/bgp/link-neighbors.ts';
import { isolatedSuite } from '../../support/net-suite.ts';
import { RecordedLog } from '../../support/recorded-log.ts';

const test = isolatedSuite('speaker/bgp/link-neighbors');

for (const [what, names, text] of [
  ['a name that no interface can have', ['sixteen-letters-', 'lo'], /sixteen-letters-.* cannot be an interface's name/],
  ['more than can be watched', Array.from({ length: 257 }, (_, i) => `eth${i}`), /too many/],
] as const) {
  test(`${what} is told of, and whoever asks goes on`, () => {
    const log = new RecordedLog();
    const neighbors = new LinkNeighbors({ onChange() {}, log });
    neighbors.watch(new Set(names));
    neighbors.watch(new Set(names));
    const [line, ...more] = log.of('routers on links cannot be found');
    assert.deepEqual(more, []);
    assert.match(String(line?.error), text);
    assert.equal(neighbors.neighborOn('lo'), undefined);
    neighbors.close();
  });
}
