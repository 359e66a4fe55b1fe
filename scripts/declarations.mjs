// The type declarations of what package.json exports, for those who install the package.
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** Writes them into a folder, with the paths that the sources have below src/. */
export function declare(directory) {
  const options = [
    '--ignoreConfig',
    '--declaration',
    '--emitDeclarationOnly',
    '--outDir',
    directory,
    '--rootDir',
    'src',
  ];
  const language = ['--target', 'es2024', '--module', 'nodenext', '--allowImportingTsExtensions', '--skipLibCheck'];
  const strictness = ['--strict', '--erasableSyntaxOnly', '--exactOptionalPropertyTypes', '--types', 'node'];
  const { status, stdout, error } = spawnSync(
    join(root, 'node_modules', '.bin', 'tsc'),
    [...options, ...language, ...strictness, 'src/memberlist-lite/index.ts'],
    { cwd: root, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`tsc cannot write the declarations: ${error?.message ?? stdout}`);
}
