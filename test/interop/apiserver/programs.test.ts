import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findApiServer } from '../../../scripts/apiserver.mjs';
import { suite } from '../../support/suite.ts';

const test = suite('interop/apiserver/programs');

const assets = realpathSync(mkdtempSync(join(tmpdir(), 'garpoon-assets-')));
test.after(() => rmSync(assets, { recursive: true }));

test('KUBEBUILDER_ASSETS comes first, and says what it lacks', () => {
  const env = { KUBEBUILDER_ASSETS: assets };
  const add = (program: string, mode: number) => writeFileSync(join(assets, program), '', { mode });
  assert.equal(findApiServer(env).problem, `KUBEBUILDER_ASSETS=${assets} has no executable etcd and no kube-apiserver`);
  add('etcd', 0o755);
  assert.equal(findApiServer(env).problem, `KUBEBUILDER_ASSETS=${assets} has no executable kube-apiserver`);
  add('kube-apiserver', 0o755);
  assert.deepEqual(findApiServer(env), { directory: assets });
});
