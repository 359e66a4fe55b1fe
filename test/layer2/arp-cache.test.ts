import assert from 'node:assert/strict';
import { addressesInArpCache } from '../../src/layer2/arp-cache.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/arp-cache');

const cache = `IP address       HW type     Flags       HW address            Mask     Device
192.0.2.7        0x1         0x2         02:00:00:00:00:07     *        eth0
192.0.2.8        0x1         0x6         02:00:00:00:00:0a     *        eth0
198.18.0.8       0x1         0x2         02:00:00:00:00:0a     *        eth1
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
192.0.2.10       0x1         0x0         02:00:00:00:00:07     *        eth0
`;

for (const [what, mac, text, addresses] of [
  ['has the address of a neighbour', '02:00:00:00:00:07', cache, ['192.0.2.7']],
  ['has every address of a neighbour', '02:00:00:00:00:0a', cache, ['192.0.2.8', '198.18.0.8']],
  ['is searched whatever the case of the letters', '02:00:00:00:00:0A', cache, ['192.0.2.8', '198.18.0.8']],
  ['has none for a stranger', '02:00:00:00:00:99', cache, []],
  ['has none where resolving failed', '00:00:00:00:00:00', cache, []],
  ['may have nothing but its headings', '02:00:00:00:00:07', cache.split('\n').slice(0, 1).join(), []],
  ['may be empty', '02:00:00:00:00:07', '', []],
  ['may be of another form', '02:00:00:00:00:07', '\n\nx\n   \n1 2 3 4 5 6 7\n', []],
] as const) {
  test(`the cache ${what}`, () => {
    assert.deepEqual(
      addressesInArpCache(mac, () => text),
      addresses,
    );
  });
}

test('the cache of this machine can be read', () => {
  assert.deepEqual(addressesInArpCache('02:00:00:00:00:99'), []);
});
