import assert from 'node:assert/strict';
import { LinkNeighbors } from '../../../src/speaker/bgp/link-neighbors.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { suite } from '../../support/suite.ts';

const test = suite('speaker/bgp/link-neighbors');

test('what cannot be looked for is told, and takes nothing else with it', () => {
  const log = new RecordedLog();
  const neighbors = new LinkNeighbors({ onChange: () => {}, log });
  neighbors.watch(new Set(['no interface']));
  assert.equal(neighbors.neighborOn('no interface'), undefined);
  // Either the name, or the whole of it where the process may not listen.
  assert.equal(log.of('routers on links cannot be found').length, 1);
  neighbors.close();
});
