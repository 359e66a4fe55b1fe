import { fileURLToPath } from 'node:url';

/** The small programs that the lab runs in namespaces, each one file of this folder. */
export type Program = 'pod-server' | 'reachability-probe' | 'namespace-listener' | 'event-loop-blocker';

/**
 * The command that runs one of them with this very Node. In the source tree it is the `.ts` file beside this one; in
 * the bundle it is `lab-NAME.mjs` beside the bundle.
 */
export function programArgv(program: Program): readonly string[] {
  const bundled = !import.meta.url.endsWith('.ts');
  const file = new URL(bundled ? `./lab-${program}.mjs` : `./${program}.ts`, import.meta.url);
  return [process.execPath, fileURLToPath(file)];
}
