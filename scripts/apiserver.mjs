// A real API server and its etcd for the tests in test/interop/apiserver: found, or built from source.
//
//   node scripts/apiserver.mjs                  finds or builds them, and prints the folder that has both
//   node scripts/apiserver.mjs test             the same, then runs the tests against them
//   node scripts/apiserver.mjs --if-possible    the same, but without Go it says so and is content; not with CI=true
//
// Looked for in $KUBEBUILDER_ASSETS, where the tools of the field keep them, then in build/apiserver. Where neither has
// them and Go is installed, the module in test/interop/apiserver is built: many minutes the first time, on two cores,
// and 3 GB of memory for the last step; Go's own caches make it a minute afterwards.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const moduleFolder = join(root, 'test', 'interop', 'apiserver');
const cache = join(root, 'build', 'apiserver');
const buildLimit = 900_000;

/** Program -> the Go package it is made from. */
const programs = { etcd: 'go.etcd.io/etcd/server/v3', 'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver' };

/** Where both programs are, `{ directory }`, or why they are nowhere, `{ problem }`. Builds nothing. */
export function findApiServer(env = process.env) {
  const { KUBEBUILDER_ASSETS: given } = env;
  if (given) {
    const missing = missingFrom(given);
    if (missing.length === 0) return { directory: resolve(given) };
    return { problem: `KUBEBUILDER_ASSETS=${given} has no executable ${missing.join(' and no ')}` };
  }
  if (readSafely(join(cache, '.stamp')) === stamp() && missingFrom(cache).length === 0) return { directory: cache };
  return { problem: 'no API server to test against: run node scripts/apiserver.mjs, or set KUBEBUILDER_ASSETS' };
}

/** As `findApiServer`, after building what was not found; `impossible` says that it cannot be built here at all. */
export function provideApiServer(env = process.env) {
  const found = findApiServer(env);
  if (found.directory !== undefined || env.KUBEBUILDER_ASSETS) return found;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    const problem =
      'no API server to test against: install Go 1.24 or newer to build one, ' +
      'or set KUBEBUILDER_ASSETS to a folder that has kube-apiserver and etcd';
    return { problem, impossible: true };
  }
  return build(env) ?? findApiServer(env);
}

/** Undefined when all went well. */
function build(env) {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const deadline = performance.now() + buildLimit;
  for (const [program, goPackage] of Object.entries(programs)) {
    console.error(`apiserver: building ${program} from source (go build)`);
    const args = ['build', '-trimpath', `-ldflags=${linkerFlags()}`, '-o', join(cache, program), goPackage];
    const { status, signal, error, stderr } = spawnSync('go', args, {
      cwd: moduleFolder,
      // A shared cache of object files is hit only if nobody's C compiler or workspace has a say.
      env: { ...env, CGO_ENABLED: '0', GOWORK: 'off' },
      stdio: ['ignore', 'inherit', 'pipe'],
      timeout: Math.max(1, Math.floor(deadline - performance.now())),
      maxBuffer: 1 << 26,
      encoding: 'utf8',
    });
    if (status === 0) continue;
    const why = (stderr ?? '')
      .split('\n')
      .filter((line) => !line.startsWith('go: downloading'))
      .slice(-20)
      .join('\n');
    return { problem: `go ${args.join(' ')} ended with ${error?.message ?? signal ?? status}\n${why}` };
  }
  // Last, and whole: a build that was interrupted is none.
  const fresh = join(cache, '.stamp.new');
  writeFileSync(fresh, stamp());
  renameSync(fresh, join(cache, '.stamp'));
  return undefined;
}

/** No symbols and no debug data; and the server's version, or it calls itself v0.0.0 and refuses what depends on it. */
function linkerFlags() {
  const version = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\S+)/.exec(readFileSync(join(moduleFolder, 'go.mod'), 'utf8'));
  const [, whole, major, minor] = version ?? [];
  const facts = { gitVersion: whole, gitMajor: major, gitMinor: minor };
  const set = Object.entries(facts).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  return ['-s', '-w', ...set].join(' ');
}

function stamp() {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(moduleFolder, file)));
  return hash.digest('hex');
}

function missingFrom(directory) {
  return Object.keys(programs).filter((program) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return false;
    } catch {
      return true;
    }
  });
}

function readSafely(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(main(process.argv[2]));

function main(command = '') {
  if (!['', 'test', '--if-possible'].includes(command)) {
    console.error('usage: node scripts/apiserver.mjs [test | --if-possible]');
    return 2;
  }
  const { directory, problem, impossible } = provideApiServer();
  if (directory === undefined) {
    if (command === '--if-possible' && impossible && process.env.CI !== 'true') return skip(problem);
    console.error(`apiserver: ${problem}`);
    return 1;
  }
  console.log(directory);
  if (command !== 'test') return 0;
  const tests = [join(root, 'scripts', 'test.mjs'), 'test/interop/apiserver'];
  return spawnSync(process.execPath, tests, { stdio: 'inherit' }).status ?? 1;
}

/** In the words that scripts/test.mjs counts. */
function skip(problem) {
  console.log(`SKIPPED the build of an API server: ${problem}`);
  console.log(`#tests ${JSON.stringify({ passed: 0, failed: 0, skipped: 1 })}`);
  return 0;
}
