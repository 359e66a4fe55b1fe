import assert from 'node:assert/strict';
import { routerKinds } from '../../support/routers/kinds.ts';
import { suite } from '../../support/suite.ts';
import { emptyCells } from './matrix.ts';

const test = suite('interop/bgp/empty-cells');

test('what a router cannot do is said, and no more is left out', () => {
  assert.deepEqual(emptyCells(routerKinds), [
    'ExaBGP hears us by GTSM: ExaBGP sets no TTL on the connections that it accepts',
    'ExaBGP keeps our routes while we restart gracefully, and forgets those that do not come back: ExaBGP has no table in which it could keep the routes of a peer that restarts',
    'ExaBGP keeps our routes while we restart gracefully, and forgets those that do not come back, as a helper: ExaBGP has no table in which it could keep the routes of a peer that restarts',
    'OpenBGPD is told IPv4 routes over IPv6, with next hops of IPv6: OpenBGPD 7 does not know RFC 8950',
  ]);
});
