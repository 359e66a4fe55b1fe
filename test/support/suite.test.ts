import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { eventually, suite } from './suite.ts';

const test = suite('support/suite');

const fixtures = fileURLToPath(new URL('../fixtures/broken-suites/', import.meta.url));

/** Runs a fixture in a process of its own: how it ended, the counts it reported, and what it said. */
async function run(name: string, environment: NodeJS.ProcessEnv = {}) {
  const { CI: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [`${fixtures}${name}.ts`], { env: { ...inherited, ...environment } });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  const reports = stdout.split('\n').filter((line) => line.startsWith('#tests '));
  assert.equal(reports.length, 1, stdout);
  return { status, counts: JSON.parse(reports[0]!.slice('#tests '.length)) as unknown, said: stdout + stderr };
}

type Case = readonly [name: string, says: RegExp, counts: { passed: number; failed: number; skipped?: number }];

const broken: readonly Case[] = [
  ['fails', /FAILED fixture\/fails: fails/, { passed: 2, failed: 1 }],
  ['throws-text', /not an Error: text/, { passed: 0, failed: 1 }],
  ['throws-nothing', /not an Error: undefined/, { passed: 0, failed: 1 }],
  ['unprintable-difference', /FAILED .*compares a Buffer/, { passed: 1, failed: 1 }],
  ['before-throws', /HOOK FAILED fixture\/before-throws before\n.*no database/, { passed: 0, failed: 2 }],
  ['after-throws', /HOOK FAILED fixture\/after-throws after\n.*left over/, { passed: 1, failed: 1 }],
  [
    'before-each-throws',
    /HOOK FAILED fixture\/before-each-throws before.each\n.*no database/,
    { passed: 0, failed: 2 },
  ],
  // uvu runs the hook a second time when it has thrown, and then gives up on the suite.
  ['after-each-throws', /HOOK FAILED fixture\/after-each-throws after.each\n.*left over/, { passed: 1, failed: 3 }],
  ['never-settles', /never settles: not finished within 50 ms/, { passed: 1, failed: 1 }],
  ['never-settles-while-busy', /not finished within 50 ms/, { passed: 0, failed: 1 }],
  ['exits-early', /2 registered test\(s\) never finished/, { passed: 0, failed: 2 }],
  ['exits-in-last-test', /1 registered test\(s\) never finished/, { passed: 1, failed: 1 }],
  ['no-test', /no test was registered/, { passed: 0, failed: 0 }],
  ['throws-after-the-end', /too late/, { passed: 1, failed: 1 }],
];

for (const [name, says, counts] of broken) {
  test(`a suite like ${name} fails, and says why`, async () => {
    const result = await run(name);
    assert.equal(result.status, 1, result.said);
    assert.match(result.said, says);
    assert.deepEqual(result.counts, { skipped: 0, ...counts });
  });
}

test('a good suite passes and reports its counts', async () => {
  const { status, counts, said } = await run('good');
  assert.equal(status, 0, said);
  assert.deepEqual(counts, { passed: 2, failed: 0, skipped: 0 });
});

for (const [name, passed] of [
  ['skips', 1],
  ['only-skips', 0],
] as const) {
  test(`a suite like ${name} passes and says what it skipped, but not with CI=true`, async () => {
    const here = await run(name);
    assert.deepEqual([here.status, here.counts], [0, { passed, failed: 0, skipped: 1 }]);
    assert.match(here.said, /SKIPPED .*flies\n.*needs wings/);
    const inCi = await run(name, { CI: 'true' });
    assert.deepEqual([inCi.status, inCi.counts], [1, { passed, failed: 1, skipped: 1 }]);
  });
}

test('every fixture is run by a test', () => {
  const known = [...broken.map(([name]) => name), 'good', 'skips', 'only-skips'];
  assert.deepEqual(readdirSync(fixtures).sort(), known.map((name) => `${name}.ts`).sort());
});

test('eventually gives what the condition gave', async () => {
  let calls = 0;
  assert.equal(await eventually('the third call', () => (++calls === 3 ? 'value' : undefined)), 'value');
});

test('eventually names what did not happen, and why the last attempt failed', async () => {
  const waiting = eventually('a miracle', () => Promise.reject(new Error('none today')), 30);
  await assert.rejects(waiting, (error: Error) => {
    assert.match(error.message, /not within 30 ms: a miracle/);
    assert.match(String(error.cause), /none today/);
    return true;
  });
});

test('eventually gives up on a condition that does not settle', async () => {
  await assert.rejects(
    eventually('an answer', () => new Promise(() => {}), 30),
    /not within 30 ms: an answer/,
  );
});
