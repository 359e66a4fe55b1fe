import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from '../support/suite.ts';

const test = suite('scripts/import-rules');
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The rules that the linter finds broken in a file of this one line at that place in the tree. */
function broken(file: string, line: string): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-rules-'));
  for (const name of ['biome.json', '.gitignore']) copyFileSync(join(root, name), join(directory, name));
  mkdirSync(dirname(join(directory, file)), { recursive: true });
  writeFileSync(join(directory, file), `${line}\n`);
  const biome = join(root, 'node_modules', '.bin', 'biome');
  const { stdout, stderr } = spawnSync(biome, ['lint', file], { cwd: directory, encoding: 'utf8' });
  rmSync(directory, { recursive: true });
  assert.match(stdout + stderr, /Checked 1 file/);
  return ['noRestrictedImports', 'noRestrictedGlobals'].filter((rule) => (stdout + stderr).includes(rule));
}

for (const [file, allowed, refused] of [
  ['src/runtime/x.ts', 'node:crypto', '../ip/address.ts'],
  ['src/ip/x.ts', './address.ts', '../runtime/clock.ts'],
  ['src/ip/x.ts', 'node:net', 'node:fs'],
  ['src/api/x.ts', '../ip/address.ts', '../config/config.ts'],
  ['src/config/x.ts', '../api/field.ts', 'node:crypto'],
  ['src/election/x.ts', '../ip/address.ts', '../kubernetes/core.ts'],
  ['src/allocator/x.ts', '../config/config.ts', 'yaml'],
  ['src/memberlist-lite/x.ts', 'node:zlib', 'node:dgram'],
  ['src/memberlist-lite/node-transport.ts', 'node:dgram', 'node:fs'],
  ['src/kubernetes/x.ts', '../config/config.ts', '../layer2/announcer.ts'],
  ['src/layer2/x.ts', '../ip/address.ts', '../telemetry/json-logger.ts'],
  ['src/liveness/x.ts', '../memberlist-lite/memberlist.ts', '../kubernetes/core.ts'],
  ['src/telemetry/x.ts', '../runtime/clock.ts', '../speaker/speaker.ts'],
  ['src/telemetry/metrics.ts', 'prom-client', '../kubernetes/core.ts'],
  ['src/telemetry/x.ts', './metrics.ts', 'prom-client'],
  ['src/speaker/x.ts', '../telemetry/metrics.ts', 'prom-client'],
  ['src/controller/x.ts', '../allocator/allocator.ts', '../speaker/speaker.ts'],
  ['src/cli/x.ts', '../lab/main.ts', '../lab/lab.ts'],
  ['src/kubernetes/kubeconfig.ts', '@kubernetes/client-node/dist/config.js', '../telemetry/json-logger.ts'],
  ['src/kubernetes/client.ts', 'node:https', '@kubernetes/client-node'],
  ['src/speaker/x.ts', '../layer2/announcer.ts', '@kubernetes/client-node/dist/config.js'],
  ['test/support/suite.ts', 'uvu', undefined],
  ['test/ip/x.ts', '../support/suite.ts', 'uvu'],
] as const) {
  test(`${file} may import ${allowed}${refused === undefined ? '' : `, and not ${refused}`}`, () => {
    assert.deepEqual(broken(file, `import { x } from '${allowed}'; export const y = x;`), []);
    if (refused === undefined) return;
    // Types, too: what is only read by the type checker couples as well.
    assert.deepEqual(broken(file, `import type { X } from '${refused}'; export type Y = X;`), ['noRestrictedImports']);
  });
}

for (const global of ['setTimeout(() => {}, 1)', 'Date.now()', 'performance.now()', 'setInterval(() => {}, 1)']) {
  test(`${global} belongs into src/runtime`, () => {
    assert.deepEqual(broken('src/runtime/x.ts', `export const y = ${global};`), []);
    assert.deepEqual(broken('src/speaker/x.ts', `export const y = ${global};`), ['noRestrictedGlobals']);
  });
}
