// npm run check: types, Biome (format, lint, import rules), clang-format, and the rules no tool knows.
//
//   node scripts/check.mjs                   report
//   node scripts/check.mjs --format          reformat in place
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(resolve(fileURLToPath(new URL('..', import.meta.url))));
const bin = (name) => join('node_modules', '.bin', name);
const nativeFiles = filesUnder('native').filter((file) => /\.(cc|h)$/.test(file));

if (process.argv[2] === '--format') {
  const runs = [
    spawnSync(bin('biome'), ['check', '--write', '.'], { stdio: 'inherit' }),
    spawnSync('clang-format', ['-i', ...nativeFiles], { stdio: 'inherit' }),
  ];
  process.exit(runs.every(({ status }) => status === 0) ? 0 : 1);
}

const results = [
  command('types', bin('tsc'), ['-p', '.']),
  command('biome: format, lint, import rules', bin('biome'), ['check', '--error-on-warnings', '.']),
  command('clang-format', 'clang-format', ['--dry-run', '-Werror', ...nativeFiles]),
  facts('randomness only in src/runtime', strayRandomness()),
  facts('one native source list', differingSourceLists()),
];
const failed = results.filter((passed) => !passed).length;
console.log(`#tests ${JSON.stringify({ passed: results.length - failed, failed, skipped: 0 })}`);
process.exit(failed === 0 ? 0 : 1);

function command(name, program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return report(name, status === 0 ? '' : (error?.message ?? `${stdout}${stderr}`));
}

function facts(name, violations) {
  return report(name, violations.join('\n'));
}

function report(name, problem) {
  console.log(`${problem === '' ? 'ok     ' : 'FAILED '} ${name}`);
  if (problem !== '') console.log(problem);
  return problem === '';
}

function strayRandomness() {
  return filesUnder('src')
    .filter((file) => file.endsWith('.ts') && !file.startsWith('src/runtime/'))
    .filter((file) => /Math\.random|randomUUID|randomBytes\(|randomInt\(/.test(readFileSync(file, 'utf8')))
    .map((file) => `${file}: take a Random from src/runtime`);
}

/** binding.gyp (what users build) and native/CMakeLists.txt (what developers build) both read native/sources.txt. */
function differingSourceLists() {
  const listed = readFileSync('native/sources.txt', 'utf8').split('\n').filter(Boolean);
  const present = readdirSync('native').filter((name) => name.endsWith('.cc') && !name.startsWith('addon'));
  const gyp = readFileSync('binding.gyp', 'utf8');
  const cmake = readFileSync('native/CMakeLists.txt', 'utf8');
  const named = (text) => present.filter((name) => text.includes(name));
  return [
    ...present.filter((name) => !listed.includes(name)).map((name) => `native/${name} is not in native/sources.txt`),
    ...listed
      .filter((name) => !present.includes(name))
      .map((name) => `native/sources.txt lists ${name}, which is absent`),
    ...(gyp.includes('sources.txt') ? [] : ['binding.gyp does not read native/sources.txt']),
    ...(cmake.includes('sources.txt') ? [] : ['native/CMakeLists.txt does not read native/sources.txt']),
    ...named(gyp).map((name) => `binding.gyp names ${name} beside native/sources.txt`),
    ...named(cmake).map((name) => `native/CMakeLists.txt names ${name} beside native/sources.txt`),
  ];
}

function filesUnder(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
