// The C++ core without Node: its tests under sanitizers, and its fuzzers. Built by cmake-js into build/native-*.
//
//   node scripts/native.mjs test            AddressSanitizer with UndefinedBehaviorSanitizer, then ThreadSanitizer
//   node scripts/native.mjs fuzz SECONDS    every fuzz target, SECONDS in all; new finds are in build/native-fuzz
//   node scripts/native.mjs fuzz runs=N     every fuzz target, N executions each
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(resolve(fileURLToPath(new URL('..', import.meta.url))));

const variants = [
  { directory: 'native-asan', sanitize: 'address,undefined', wrapper: [] },
  // ThreadSanitizer of older compilers dies of the kernel's address space randomisation.
  { directory: 'native-tsan', sanitize: 'thread', wrapper: withoutRandomisation() },
];
const fuzzTargets = [
  'arp',
  'bfd_echo_packet',
  'bfd_packet',
  'bfd_session',
  'ndp',
  'link_message',
  'neighbor_message',
  'packed',
  'router_message',
  'socket_filter',
];
const runLimit = 300_000;

const [command, argument] = process.argv.slice(2);
if (command === 'test') process.exit(test());
if (command === 'fuzz') process.exit(fuzz(argument ?? '60'));
console.error('usage: node scripts/native.mjs test | fuzz SECONDS | fuzz runs=N');
process.exit(2);

function test() {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { directory, sanitize, wrapper } of variants) {
    console.log(`== ${sanitize}`);
    const counts = build(directory, [`--CDGARPOON_SANITIZE=${sanitize}`]) ? runTests(directory, wrapper) : undefined;
    // A build that failed, a crash and a sanitizer's report all end the program before it has counted.
    const { passed, failed, skipped } = counts ?? { passed: 0, failed: 1, skipped: 0 };
    console.log(`== ${sanitize}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  console.log(`#tests ${JSON.stringify(total)}`);
  return total.failed === 0 ? 0 : 1;
}

/** The counts, or undefined when the program did not end as it should. */
function runTests(directory, wrapper) {
  const [program, ...args] = [...wrapper, join('build', directory, 'garpoon_tests')];
  const { stdout, status, signal } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: runLimit,
  });
  const match = /^#cases (\d+) (\d+) (\d+)$/m.exec(stdout ?? '');
  console.log((stdout ?? '').replace(/^#cases.*\n/m, '').trimEnd());
  const [passed, failed, skipped] = (match?.slice(1) ?? []).map(Number);
  if (match !== null && (status === 0 || failed > 0)) return { passed, failed, skipped };
  console.log(`garpoon_tests ended with ${signal ?? status}`);
  return undefined;
}

function fuzz(amount) {
  const bound = boundOf(amount);
  if (bound === undefined) {
    console.error(`neither a number of seconds nor runs=N: ${amount}`);
    return 2;
  }
  if (!build('native-fuzz', ['--CDGARPOON_SANITIZE=address,undefined', '--CDGARPOON_FUZZ=ON', '--cxx', 'clang++'])) {
    return 1;
  }
  const failed = fuzzTargets.filter((target) => !fuzzOne(target, bound));
  for (const target of failed) console.log(`FAILED ${target}`);
  console.log(
    `#tests ${JSON.stringify({ passed: fuzzTargets.length - failed.length, failed: failed.length, skipped: 0 })}`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** How long one target runs: libFuzzer's option, and how many milliseconds that takes at most. */
function boundOf(amount) {
  const runs = /^runs=(\d+)$/.exec(amount)?.[1];
  if (Number(runs) > 0) return { option: `-runs=${runs}`, limit: runLimit };
  if (!(Number(amount) > 0)) return undefined;
  const seconds = Math.max(1, Math.floor(Number(amount) / fuzzTargets.length));
  return { option: `-max_total_time=${seconds}`, limit: seconds * 1000 + 60_000 };
}

function fuzzOne(target, { option, limit }) {
  const directory = join('build', 'native-fuzz');
  const finds = join(directory, 'corpus', target);
  mkdirSync(finds, { recursive: true });
  const args = [
    option,
    '-print_final_stats=1',
    '-verbosity=0',
    `-artifact_prefix=${join(directory, `crash-${target}-`)}`,
    finds,
    join('native', 'fuzz', 'corpus', target),
  ];
  const started = performance.now();
  const { stderr, status } = spawnSync(join(directory, `fuzz_${target}`), args, {
    encoding: 'utf8',
    timeout: limit,
    maxBuffer: 1 << 26,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const executions = /number_of_executed_units:\s*(\d+)/.exec(stderr ?? '')?.[1];
  console.log(
    `${status === 0 ? 'ok     ' : 'FAILED '} fuzz ${target}: ${executions ?? 'unknown'} executions in ${seconds} s`,
  );
  if (status !== 0) console.log(stderr);
  return status === 0 && executions !== undefined;
}

function build(directory, options) {
  const cmakeJs = join('node_modules', 'cmake-js', 'bin', 'cmake-js');
  const args = [cmakeJs, 'build', '-d', 'native', '-O', join('build', directory), '-l', 'error', ...options];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status === 0) return true;
  console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
  console.log(`the build of build/${directory} failed`);
  return false;
}

function withoutRandomisation() {
  return spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];
}
