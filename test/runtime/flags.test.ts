import assert from 'node:assert/strict';
import { describeFlags, parseFlags } from '../../src/runtime/flags.ts';
import { suite } from '../support/suite.ts';

const test = suite('runtime/flags');

const flags = {
  'node-name': { kind: 'text', help: 'name of the Node', env: 'NODE_NAME' },
  port: { kind: 'port', help: 'gossip port', default: '7946' },
  class: { kind: 'text', help: 'loadBalancerClass', optional: true },
  quiet: { kind: 'boolean', help: 'say less' },
  level: { kind: 'text', help: 'level', default: 'info', oneOf: ['info', 'warn'] },
  rate: { kind: 'integer', help: 'frames a second', default: '400', range: [1, 1_000_000] },
  offset: { kind: 'integer', help: 'shift', default: '0', range: [-5, 5] },
} as const;

test('a flag wins over the environment, which wins over the default', () => {
  const parsed = parseFlags(flags, ['--node-name=n1', '--quiet', 'rest'], { NODE_NAME: 'n2' });
  assert.deepEqual(parsed, {
    values: { 'node-name': 'n1', port: 7946, class: undefined, quiet: true, level: 'info', rate: 400, offset: 0 },
    positionals: ['rest'],
  });
  const fromEnv = parseFlags(flags, [], { NODE_NAME: 'n2' });
  assert.ok('values' in fromEnv && fromEnv.values['node-name'] === 'n2');
});

for (const [what, argv, problem] of [
  ['a missing flag', [], '--node-name is missing: name of the Node (or set $NODE_NAME)'],
  ['a port that is none', ['--node-name=n', '--port=x'], '--port=x: give a port number from 0 to 65535'],
  ['a port beyond the range', ['--node-name=n', '--port=65536'], '--port=65536: give a port number from 0 to 65535'],
  ...['0', '1000001', '', '4x', '1.5', '1e3', '0x10', ' 4', '+4', '9'.repeat(400)].map(
    (rate) =>
      [
        `a number "${rate.slice(0, 10)}"`,
        ['--node-name=n', `--rate=${rate}`],
        `--rate=${rate}: give a whole number from 1 to 1000000`,
      ] as const,
  ),
  ['a value outside the list', ['--node-name=n', '--level=loud'], '--level=loud: give one of info, warn'],
] as const) {
  test(`${what} is a problem that names it`, () => {
    assert.deepEqual(parseFlags(flags, argv, {}), { problem });
  });
}

for (const [text, value] of [
  ['1', 1],
  ['1000000', 1_000_000],
  ['007', 7],
] as const) {
  test(`a number ${text} within the range is ${value}`, () => {
    const parsed = parseFlags(flags, ['--node-name=n', `--rate=${text}`], {});
    assert.ok('values' in parsed && parsed.values.rate === value);
  });
}

test('a number below zero is one where the range goes so far', () => {
  const parsed = parseFlags(flags, ['--node-name=n', '--offset=-5'], {});
  assert.ok('values' in parsed && parsed.values.offset === -5);
});

for (const argv of [['-o', 'json'], ['-ojson'], ['--output=json'], ['--output', 'json']]) {
  test(`${argv.join(' ')} is the same as any other spelling of it`, () => {
    const output = { output: { kind: 'text', short: 'o', help: 'form', default: 'table' } } as const;
    const parsed = parseFlags(output, argv, {});
    assert.deepEqual(parsed, { values: { output: 'json' }, positionals: [] });
    assert.match(describeFlags(output), /^ {2}-o, --output=TEXT +form/);
  });
}

test('an unknown flag is a problem that names it', () => {
  const parsed = parseFlags(flags, ['--node-nam=n1'], {});
  assert.ok('problem' in parsed && parsed.problem.includes('--node-nam'));
});

test('the description has a line for every flag', () => {
  const lines = describeFlags(flags).split('\n');
  assert.equal(lines.length, Object.keys(flags).length);
  assert.match(lines[1]!, /--port=PORT +gossip port \(default 7946\)/);
  assert.match(lines[5]!, /--rate=INTEGER +frames a second \(default 400\)/);
});
