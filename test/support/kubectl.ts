import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A kubectl that is on this machine. */
export type Kubectl = {
  readonly path: string;
  /** Such as `1.20` or `1.32`. */
  readonly version: string;
  readonly minor: number;
};

/** What Debian ships, where the setup script unpacks it: beside the machine's own, which may be another. */
export const debianKubectl = fileURLToPath(
  new URL('../../build/tools/debian-kubectl/usr/bin/kubectl', import.meta.url),
);

const commandLimitMs = 30_000;

/** Every kubectl to test with, one for each version: Debian's, then the first one in PATH. */
export function findKubectls(): Kubectl[] {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'kubectl'));
  const candidates = [debianKubectl, inPath.find((path) => existsSync(path))];
  const found = new Map<string, Kubectl>();
  for (const path of candidates) {
    if (path === undefined || !existsSync(path)) continue;
    const kubectl = identify(path);
    if (!found.has(kubectl.version)) found.set(kubectl.version, kubectl);
  }
  return [...found.values()];
}

export type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** What the command reads from its standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** One kubectl with a home, a cache and a kubeconfig of its own, talking to a server on 127.0.0.1. */
export class KubectlSession {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'garpoon-kubectl-'));
  readonly #children = new Set<ChildProcess>();

  constructor(kubectl: Kubectl, port: number, namespace: string) {
    this.kubectl = kubectl;
    this.namespace = namespace;
    mkdirSync(join(this.directory, 'cache'));
    writeFileSync(join(this.directory, 'kubeconfig'), JSON.stringify(kubeconfig(port, namespace)));
  }

  /** Runs one command to its end. */
  run(args: readonly string[], { input = '', env = {} }: RunOptions = {}): Promise<Result> {
    return new Promise((resolve) => {
      const options = { env: { ...this.#environment(), ...env }, timeout: commandLimitMs };
      const child = execFile(this.kubectl.path, this.#arguments(args), options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
      child.stdin?.end(input);
    });
  }

  /** Starts a command that runs until `endStarted` or `close`. Its output so far is what the returned function returns. */
  start(args: readonly string[]): () => string {
    const child = spawn(this.kubectl.path, this.#arguments(args), { env: this.#environment() });
    this.#children.add(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    return () => output;
  }

  /** The path of an executable in the session's directory that runs `script`: an editor, say. */
  script(name: string, script: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Ends the commands that `start` began. */
  endStarted(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#children.clear();
  }

  /** Ends what was started and removes the session's files. Idempotent. */
  close(): void {
    this.endStarted();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #arguments(args: readonly string[]): string[] {
    return [`--cache-dir=${join(this.directory, 'cache')}`, ...args];
  }

  #environment(): Record<string, string> {
    const { PATH = '' } = process.env;
    // Without a terminal's name some versions colour their output.
    return { PATH, HOME: this.directory, KUBECONFIG: join(this.directory, 'kubeconfig'), TERM: 'dumb' };
  }
}

function identify(path: string): Kubectl {
  const text = execFileSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8', timeout: commandLimitMs });
  const { major, minor } = (JSON.parse(text) as { clientVersion: { major: string; minor: string } }).clientVersion;
  const number = Number.parseInt(minor, 10);
  return { path, version: `${major}.${number}`, minor: number };
}

/** kubectl and client-node refuse plain HTTP unless they are told not to look for TLS. */
function kubeconfig(port: number, namespace: string): object {
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  };
}
