import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Program -> the folder under native/ that has its source, and the headers it may include. */
const folders = {
  packet_io: 'tools',
  generator: 'bench',
  one_by_one: 'bench',
  burst: 'bench',
  asker: 'bench',
  owner_watch: 'bench',
} as const;

/**
 * The path of the program made from native/FOLDER/NAME.cc, built first when it is missing or older than its source.
 * Two processes may build at once: each writes a file of its own and moves it into place.
 */
export function nativeTool(name: keyof typeof folders): string {
  const folder = fileURLToPath(new URL(`../../native/${folders[name]}`, import.meta.url));
  const source = join(folder, `${name}.cc`);
  const headers = readdirSync(folder).filter((file) => file.endsWith('.h'));
  const newest = Math.max(modified(source), ...headers.map((file) => modified(join(folder, file))));
  const program = fileURLToPath(new URL(`../../build/tools/${name}`, import.meta.url));
  if (modified(program) < newest) {
    mkdirSync(dirname(program), { recursive: true });
    const fresh = `${program}.${process.pid}`;
    const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-pthread'];
    execFileSync(process.env.CXX ?? 'c++', [...flags, '-o', fresh, source]);
    renameSync(fresh, program);
  }
  return program;
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
