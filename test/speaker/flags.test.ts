import assert from 'node:assert/strict';
import { defaultGratuitous } from '../../src/layer2/responder.ts';
import { parseFlags } from '../../src/runtime/flags.ts';
import { flags } from '../../src/speaker/flags.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/flags');

function parse(...argv: readonly string[]) {
  return parseFlags(flags, ['--node-name=node-a', ...argv], {});
}

test('addresses are announced by default as the responder does by itself', () => {
  const parsed = parse();
  assert.ok('values' in parsed);
  const { values } = parsed;
  assert.deepEqual(
    {
      rounds: values['announce-rounds'],
      interval: values['announce-interval'],
      rate: values['announce-rate'],
      burst: values['announce-burst'],
      refresh: values['announce-refresh'] * 1_000,
      unicast: values['announce-unicast'],
    },
    defaultGratuitous,
  );
  assert.equal(values['address-probe'], 'warn');
  assert.equal(values['silence-after'], 15);
  assert.deepEqual([values['state-dir'], values['state-max-age']], ['', 86_400]);
});

for (const [argument, range] of [
  ['--announce-rate=0', 'a whole number from 1 to 1000000'],
  ['--announce-burst=65537', 'a whole number from 1 to 65536'],
  ['--announce-rounds=101', 'a whole number from 1 to 100'],
  ['--announce-interval=9', 'a whole number from 10 to 60000'],
  ['--announce-refresh=86401', 'a whole number from 0 to 86400'],
  ['--announce-unicast=all', 'one of off, gateways, neighbors'],
  ['--address-probe=on', 'one of off, warn, refuse'],
  ['--silence-after=-1', 'a whole number from 0 to 86400'],
  ['--state-max-age=59', 'a whole number from 60 to 31536000'],
] as const) {
  test(`${argument} is refused with what it may be`, () => {
    assert.deepEqual(parse(argument), { problem: `${argument}: give ${range}` });
  });
}
