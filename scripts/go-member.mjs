// A member of a ring on hashicorp/memberlist, as MetalLB has it, for the tests and benches: built from
// test/interop/memberlist-go when it is asked for and not there yet. Needs Go; takes seconds, the first time with a
// download from the module proxy.
//
//   node scripts/go-member.mjs                  builds it, and prints the program's path
//   node scripts/go-member.mjs --if-possible    the same, but without Go it says so and is content; not with CI=true
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const moduleFolder = join(root, 'test', 'interop', 'memberlist-go');
const cache = join(root, 'build', 'memberlist-go');
const program = join(cache, 'peer');
const stampFile = join(cache, '.stamp');
const buildLimit = 180_000;

/** Where the program is, `{ program }`, or why it is nowhere, `{ problem }`; `impossible`: it cannot be built here. */
export function provideGoMember(env = process.env) {
  if (existsSync(program) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp()) return { program };
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    return { problem: 'no member on hashicorp/memberlist: install Go 1.24 or newer to build one', impossible: true };
  }
  mkdirSync(cache, { recursive: true });
  // A name of its own, and moved into place last: two test files may build at one time.
  const fresh = `${program}.${process.pid}`;
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', fresh, '.'];
  const { status, signal, error, stderr } = spawnSync('go', args, {
    cwd: moduleFolder,
    env: { ...env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly -buildvcs=false' },
    stdio: ['ignore', 'inherit', 'pipe'],
    timeout: buildLimit,
    encoding: 'utf8',
  });
  if (status !== 0) {
    return { problem: `go ${args.join(' ')} ended with ${error?.message ?? signal ?? status}\n${stderr}` };
  }
  renameSync(fresh, program);
  writeFileSync(stampFile, stamp());
  return { program };
}

function stamp() {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(moduleFolder, file)));
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(main(process.argv[2]));

function main(command = '') {
  if (!['', '--if-possible'].includes(command)) {
    console.error('usage: node scripts/go-member.mjs [--if-possible]');
    return 2;
  }
  const { program: built, problem, impossible } = provideGoMember();
  if (built !== undefined) {
    console.log(built);
    return 0;
  }
  if (command !== '--if-possible' || !impossible || process.env.CI === 'true') {
    console.error(`go-member: ${problem}`);
    return 1;
  }
  // In the words that scripts/test.mjs counts.
  console.log(`SKIPPED the build of a Go member: ${problem}`);
  console.log(`#tests ${JSON.stringify({ passed: 0, failed: 0, skipped: 1 })}`);
  return 0;
}
