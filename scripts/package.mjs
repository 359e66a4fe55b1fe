// Writes dist/package: what is published to npm. It has the bundle, the addon's sources and a package.json of its own,
// without the Node binaries and tools that the checkout's package.json brings for developers.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';
import { declare } from './declarations.mjs';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const target = join(root, 'dist', 'package');

await bundle();
rmSync(target, { recursive: true, force: true });
for (const path of published()) {
  mkdirSync(dirname(join(target, path)), { recursive: true });
  cpSync(join(root, path), join(target, path));
}
declare(join(target, 'dist', 'types'));
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
console.log(target);

function published() {
  const bundled = readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(target))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  const native = readdirSync(join(root, 'native')).filter(
    (name) => /\.(cc|h|txt)$/.test(name) && name !== 'CMakeLists.txt',
  );
  return [...bundled, ...native.map((name) => `native/${name}`), 'binding.gyp', 'LICENSE', 'README.md', 'CHANGELOG.md'];
}

/** The bundle needs nothing from npm; only building the addon does. */
function manifest() {
  const { name, version, description, license, type, engines, bin, exports, dependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return {
    name,
    version,
    description,
    license,
    type,
    engines,
    os: ['linux'],
    bin,
    exports,
    gypfile: true,
    scripts: { install: 'node-gyp rebuild' },
    dependencies: { 'node-addon-api': dependencies['node-addon-api'] },
  };
}
