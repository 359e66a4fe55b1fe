import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';
import { Testbed, vip } from './testbed.ts';

const test = netSuite('net/privileges');

let bed: Testbed;
test.after.each(() => bed.close());

/** The command that leaves a process of root's these capabilities and no other. */
const only = (...capabilities: readonly string[]) => [
  'setpriv',
  `--bounding-set=${['-all', ...capabilities.map((each) => `+${each}`)].join(',')}`,
  '--inh-caps=-all',
];

test('works with CAP_NET_RAW alone', async () => {
  bed = await Testbed.create({ under: only('net_raw') });
  await bed.serve(vip.v4, vip.v6);
  for (const address of [vip.v4, vip.v6]) await bed.ask(address);
  assert.match(bed.node.ip('maddr', 'show', 'dev', 'n0'), /ff02::1:ff0a:10/);
  assert.deepEqual(bed.responder.events, []);
});

test('says once for each interface what it is not allowed to do, and does not die of it', async () => {
  bed = await Testbed.create({ under: only() });
  await bed.responder.serve(vip.v4);
  const error = await bed.responder.event('an error', (event) => event.type === 'error');
  assert.ok(error.type === 'error');
  assert.deepEqual([error.code, error.name, error.operation], ['EPERM', 'n0', 'open ARP socket']);
  await bed.responder.serve(vip.v4, '198.18.1.11');
  await bed.responder.announce(vip.v4);
  await eventually('the second table is in use', async () => (await bed.responder.counters()).tableSwaps === 2);
  assert.deepEqual(
    bed.responder.events.filter((event) => event.type === 'error'),
    [],
  );
  assert.ok(bed.responder.running);
});
