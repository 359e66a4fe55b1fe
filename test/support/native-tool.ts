import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The path of the program made from native/tools/NAME.cc, built first when it is missing or older than its source.
 * Two processes may build at once: each writes a file of its own and moves it into place.
 */
export function nativeTool(name: 'packet_io' | 'generator'): string {
  const source = fileURLToPath(new URL(`../../native/tools/${name}.cc`, import.meta.url));
  const program = fileURLToPath(new URL(`../../build/tools/${name}`, import.meta.url));
  if (modified(program) < modified(source)) {
    mkdirSync(dirname(program), { recursive: true });
    const fresh = `${program}.${process.pid}`;
    execFileSync(process.env.CXX ?? 'c++', ['-std=c++20', '-O2', '-Wall', '-Wextra', '-o', fresh, source]);
    renameSync(fresh, program);
  }
  return program;
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
