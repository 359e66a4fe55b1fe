// Bundles src/ into dist/: what is installed and run. `bundle()` does nothing when dist/ is newer than the sources.
import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const entry = join(root, 'dist', 'garpoon.mjs');

/**
 * Programs that run as processes of their own: the product, and those of `garpoon lab`. And what others import, as
 * package.json exports it.
 */
const programs = {
  garpoon: 'src/cli/main.ts',
  'memberlist-lite': 'src/memberlist-lite/index.ts',
  'lab-pod-server': 'src/lab/process/pod-server.ts',
  'lab-reachability-probe': 'src/lab/process/reachability-probe.ts',
  'lab-namespace-listener': 'src/lab/process/namespace-listener.ts',
  'lab-event-loop-blocker': 'src/lab/process/event-loop-blocker.ts',
};

export async function bundle() {
  if (
    existsSync(entry) &&
    statSync(entry).mtimeMs > newest(['src', 'deploy/crds', 'package.json', 'scripts/bundle.mjs'])
  )
    return entry;
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(programs).map(([out, input]) => ({ in: input, out })),
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    sourcemap: 'linked',
    sourcesContent: false,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    // CommonJS dependencies inside an ES module bundle still call require().
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    plugins: [shakeClientLibrary],
    // Optional accelerators of a WebSocket library that is not reached.
    external: ['utf-8-validate', 'bufferutil'],
    logLevel: 'warning',
  });
  cpSync(join(root, 'deploy', 'crds'), join(root, 'dist', 'crds'), { recursive: true });
  return entry;
}

/** The library's modules have no side effects, but do not say so; without this all 758 model classes are bundled. */
const shakeClientLibrary = {
  name: 'shake-client-library',
  setup(builder) {
    builder.onResolve({ filter: /./ }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === 'resolved') return undefined;
      const inLibrary = path.includes('@kubernetes/client-node') || rest.resolveDir.includes('@kubernetes/client-node');
      if (!inLibrary) return undefined;
      const resolved = await builder.resolve(path, { ...rest, pluginData: 'resolved' });
      return resolved.path.includes('@kubernetes/client-node') ? { ...resolved, sideEffects: false } : resolved;
    });
  },
};

function newest(paths) {
  return Math.max(...paths.map((path) => newestOf(join(root, path))));
}

function newestOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestOf(join(path, name))));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await bundle());
