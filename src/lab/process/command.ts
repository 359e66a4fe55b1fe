import { execFile } from 'node:child_process';

export type CommandResult = {
  /** Undefined when a signal ended the command. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
};

export type CommandOptions = {
  /** Written to the command's standard input, which is closed afterwards. */
  readonly input?: string;
  /** Milliseconds after which the command is killed; 10 s unless given. */
  readonly timeout?: number;
};

const defaultTimeout = 10_000;
const outputLimit = 4 << 20;

/** A command could not be started (`NOT_FOUND`, `NOT_STARTED`) or ended badly (`FAILED`). The message is complete. */
export class CommandError extends Error {
  readonly code: 'NOT_FOUND' | 'NOT_STARTED' | 'FAILED';

  constructor(code: CommandError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.code = code;
  }
}

/**
 * Runs a program to its end. A non-zero status is an answer, not an error.
 * @throws CommandError when the program cannot be started.
 */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const settings = {
      env: commandEnvironment(),
      timeout: options.timeout ?? defaultTimeout,
      killSignal: 'SIGKILL',
      maxBuffer: outputLimit,
    } as const;
    const child = execFile(program, rest, settings, (error, stdout, stderr) => {
      if (error === null) return resolve({ status: 0, stdout, stderr });
      if (typeof error.code === 'number') return resolve({ status: error.code, stdout, stderr });
      if (error.killed || error.signal) return resolve({ status: undefined, stdout, stderr });
      const code = error.code === 'ENOENT' ? 'NOT_FOUND' : 'NOT_STARTED';
      reject(
        new CommandError(code, `run ${program}: ${code === 'NOT_FOUND' ? 'not installed' : error.message}`, error),
      );
    });
    // A command that ends without reading its input is judged by its status, not by the broken pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/**
 * Runs a program that must succeed and returns its standard output.
 * @throws CommandError with what it wrote to standard error.
 */
export async function succeed(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.status === 0) return result.stdout;
  const ending = result.status === undefined ? 'was killed' : `ended with ${result.status}`;
  throw new CommandError('FAILED', `${argv.join(' ')} ${ending}: ${result.stderr.trim() || result.stdout.trim()}`);
}

/** Our environment, with the folders where `ip` and `nft` live, which an ordinary user's PATH may lack. */
export function commandEnvironment(): Record<string, string | undefined> {
  return { ...process.env, PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` };
}
