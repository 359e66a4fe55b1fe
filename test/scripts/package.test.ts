import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from '../support/suite.ts';

const test = suite('scripts/package');
const run = promisify(execFile);
const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** A copy outside of the checkout, so that nothing in it finds the checkout's node_modules. */
const directory = mkdtempSync(join(tmpdir(), 'garpoon-package-'));
let files: readonly string[];

test.before(async () => {
  const { stdout } = await run(process.execPath, [join(checkout, 'scripts', 'package.mjs')], { timeout: 60_000 });
  cpSync(stdout.trim(), directory, { recursive: true });
  files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
});
test.after(() => rmSync(directory, { recursive: true }));

const read = (file: string) => readFileSync(join(directory, file), 'utf8');

test('installing it brings the one package that its addon is built with, and builds the addon', () => {
  const { version, dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  const { private: isPrivate, ...manifest } = JSON.parse(read('package.json'));
  assert.equal(manifest.version, version);
  assert.equal(isPrivate, undefined);
  const needs = Object.fromEntries(Object.entries(manifest).filter(([key]) => /dependencies/i.test(key)));
  assert.deepEqual(needs, { dependencies: { 'node-addon-api': dependencies['node-addon-api'] } });
  assert.deepEqual(manifest.scripts, { install: 'node-gyp rebuild' });
});

test('it has what it is made of, and nothing from the workshop', () => {
  const top = new Set(files.map((file) => file.split('/')[0]));
  const documents = ['CHANGELOG.md', 'LICENSE', 'README.md'];
  assert.deepEqual([...top].sort(), [...documents, 'binding.gyp', 'dist', 'native', 'package.json']);
  const kinds = new Set(files.map((file) => `${dirname(file)}/*${extname(file)}`));
  assert.deepEqual([...kinds].filter((kind) => !kind.startsWith('./')).sort(), [
    'dist/*.map',
    'dist/*.mjs',
    'dist/crds/*.yaml',
    'dist/crds/deckhouse/*.yaml',
    'dist/types/memberlist-lite/*.ts',
    'dist/types/runtime/*.ts',
    'native/*.cc',
    'native/*.h',
    'native/*.txt',
  ]);
});

test('every file that the build of the addon reads is there', () => {
  const listed = read('native/sources.txt').split('\n').filter(Boolean);
  const recipe = read('binding.gyp').replaceAll(/#.*/g, '');
  const named = [...recipe.matchAll(/native\/\w+\.\w+/g)].map(([file]) => file);
  assert.ok(listed.length > 0 && named.includes('native/sources.txt'), `${listed} ${named}`);
  // These the recipe finds by a pattern.
  const addons = readdirSync('native').filter((file) => /^addon.*\.cc$/.test(file));
  assert.ok(recipe.includes('ls native/addon*.cc') && addons.includes('addon.cc'), `${addons}`);
  const sources = files.filter((file) => /^native\/.*\.(cc|h)$/.test(file));
  const included = sources.flatMap((file) => [...read(file).matchAll(/^#include "(.*)"$/gm)].map((match) => match[1]));
  const wanted = [...named, ...[...listed, ...addons, ...included].map((file) => `native/${file}`)];
  assert.deepEqual(
    wanted.filter((file) => !files.includes(file)),
    [],
  );
});

test('its source maps tell lines and names, and do not carry the sources', () => {
  const maps = files.filter((file) => file.endsWith('.map'));
  assert.ok(maps.length > 0);
  for (const file of maps) {
    assert.equal(JSON.parse(read(file)).sourcesContent, undefined, file);
    assert.ok(files.includes(file.replace(/\.map$/, '')), file);
  }
});

test('a program can import memberlist-lite from it, with types, and run a ring', async () => {
  const project = mkdtempSync(join(tmpdir(), 'garpoon-importing-'));
  try {
    cpSync(directory, join(project, 'node_modules', 'garpoon'), { recursive: true });
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    writeFileSync(join(project, 'program.ts'), importing);
    const compile = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024', '--types', '', 'program.ts'];
    await run(join(checkout, 'node_modules', '.bin', 'tsc'), compile, { cwd: project });
    const { stdout } = await run(process.execPath, ['program.ts'], { cwd: project, timeout: 20_000 });
    assert.equal(stdout, 'told: hello from a\nstate: dead\n');
  } finally {
    rmSync(project, { recursive: true });
  }
});

/** The type error that it expects shows that there are types, and that they are ours. */
const importing = `
declare const console: { log(...values: unknown[]): void };
import { fast, Memberlist, type MemberEvent, NodeTransport, silentLogger, systemClock, systemRandom } from 'garpoon/memberlist-lite';

const members = ['127.71.20.1', '127.71.20.2'].map((address, i) => {
  const here = { address, port: 17946 };
  const name = 'ab'.charAt(i);
  const shared = { clock: systemClock, random: systemRandom, log: silentLogger, config: fast };
  return new Memberlist({ name, advertise: here, transport: new NodeTransport(here), ...shared });
});
const [a, b] = members as [Memberlist, Memberlist];
// @ts-expect-error
const wrong: number = a.members();
await a.start();
await b.start();
const told = new Promise<string>((resolve) =>
  b.onMessage((payload, from) => resolve(String.fromCharCode(...payload) + ' from ' + from.name)),
);
await b.join(['127.71.20.1:17946']);
a.send('b', Uint8Array.from('hello', (letter) => letter.charCodeAt(0)));
console.log('told:', await told);
const lost = new Promise<MemberEvent>((resolve) => a.onChange(resolve));
a.declareDead('b');
console.log('state:', (await lost).member.state);
await Promise.all(members.map((member) => member.close()));
`;

for (const [args, says] of [
  [['--version'], /^\d+\.\d+\.\d+$/],
  [['controller', '--help'], /--lb-class/],
  [['speaker', '--help'], /--node-name/],
  [['lab', '--help'], /demo/],
] as const) {
  test(`garpoon ${args.join(' ')} works with no package installed`, async () => {
    const { bin } = JSON.parse(read('package.json'));
    const { stdout } = await run(process.execPath, [join(directory, bin.garpoon), ...args], { timeout: 20_000 });
    assert.match(stdout.trim(), says);
  });
}
