import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
    'native/*.cc',
    'native/*.h',
    'native/*.txt',
  ]);
});

test('every file that the build of the addon reads is there', () => {
  const listed = read('native/sources.txt').split('\n').filter(Boolean);
  const recipe = read('binding.gyp').replaceAll(/#.*/g, '');
  const named = [...recipe.matchAll(/native\/\w+\.\w+/g)].map(([file]) => file);
  assert.ok(listed.length > 0 && named.includes('native/addon.cc'), `${listed} ${named}`);
  const sources = files.filter((file) => /^native\/.*\.(cc|h)$/.test(file));
  const included = sources.flatMap((file) => [...read(file).matchAll(/^#include "(.*)"$/gm)].map((match) => match[1]));
  const wanted = [...named, ...[...listed, ...included].map((file) => `native/${file}`)];
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
