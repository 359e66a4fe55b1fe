// npm test: checks, C++ tests under sanitizers, a million runs of each fuzzer, the build of a real API server, every
// test file in a process of its own. The last line counts them all.
//
//   node scripts/test.mjs                everything
//   node scripts/test.mjs unit           only what needs no network namespace, sanitizer build or foreign program
//   node scripts/test.mjs PATH…          these test files or folders
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
process.chdir(root);

/** Real packets and real time: one at a time, so that they do not disturb each other's timings. */
const serial = /^test\/(net|lab|e2e)\//;
/** Real peers, for which one mostly waits: side by side, after all that takes the processors. */
const waiting = /^test\/interop\//;
const needsMore = (file) => serial.test(file) || waiting.test(file);
const fileLimit = 240_000;
const args = process.argv.slice(2);
const everything = args.length === 0;
const files = everything
  ? testFiles('test')
  : args.flatMap((arg) => (arg === 'unit' ? testFiles('test').filter((file) => !needsMore(file)) : testFiles(arg)));
if (files.length === 0) {
  console.error(`no test file matches ${args.join(' ')}`);
  process.exit(1);
}

const total = { passed: 0, failed: 0, skipped: 0 };
if (everything) {
  await step('npm run check', [process.execPath, 'scripts/check.mjs'], 300_000);
  await step('npm run native:test', [process.execPath, 'scripts/native.mjs', 'test'], 900_000);
  await step(
    'npm run native:fuzz -- runs=200000',
    [process.execPath, 'scripts/native.mjs', 'fuzz', 'runs=200000'],
    900_000,
  );
  // Built before anything is timed: the build takes both cores.
  await step('node scripts/apiserver.mjs', [process.execPath, 'scripts/apiserver.mjs', '--if-possible'], 960_000);
  await step('node scripts/go-member.mjs', [process.execPath, 'scripts/go-member.mjs', '--if-possible'], 200_000);
}
await sideBySide(files.filter((file) => !needsMore(file)));
await sideBySide(files.filter((file) => waiting.test(file)));
for (const file of files.filter((name) => serial.test(name))) await testFile(file);

if (total.skipped > 0) console.log(`\n${total.skipped} skipped: see SKIPPED above`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);

async function sideBySide(names) {
  const left = [...names];
  const width = Math.max(1, availableParallelism());
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let file = left.shift(); file !== undefined; file = left.shift()) await testFile(file);
    }),
  );
}

async function testFile(file) {
  await step(file, [process.execPath, file], fileLimit);
}

/** Runs one command and adds its `#tests` line to the total; a command without one counts as one test. */
async function step(name, [command, ...rest], limit) {
  const started = performance.now();
  const { code, output, timedOut } = await capture(command, rest, limit);
  const counts = countsIn(output) ?? { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  for (const key of Object.keys(total)) total[key] += counts[key];
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = counts.failed === 0 ? 'ok' : timedOut ? `TIMED OUT after ${limit / 1000} s` : 'FAILED';
  console.log(`${verdict.padEnd(7)} ${name} (${counts.passed} passed, ${counts.failed} failed, ${seconds} s)`);
  if (counts.failed > 0) console.log(output.replace(/^/gm, '    '));
  else for (const line of output.split('\n')) if (line.startsWith('SKIPPED')) console.log(`    ${line}`);
}

function capture(command, rest, limit) {
  return new Promise((done) => {
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    let timedOut = false;
    const collect = (chunk) => {
      output = (output + chunk).slice(-400_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const timer = setTimeout(() => {
      timedOut = true;
      // The whole group: a test file may have started processes of its own.
      process.kill(-child.pid, 'SIGKILL');
    }, limit);
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ code: code ?? 1, output, timedOut });
    });
  });
}

function countsIn(output) {
  const line = output
    .split('\n')
    .reverse()
    .find((text) => text.startsWith('#tests '));
  return line === undefined ? undefined : JSON.parse(line.slice('#tests '.length));
}

function testFiles(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name))
    .sort();
}
