import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A program that says in one line that it is at work, goes on in lines, and ends when its standard input does. */
export class LineProgram {
  /** Resolves when it is at work. `onLine` is called with every line after the first. */
  static async start(argv: readonly string[], onLine: (line: string) => void): Promise<LineProgram> {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const program = new LineProgram(child);
    const lines = createInterface({ input: child.stdout });
    const [first] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
    assert.equal(typeof first, 'string', `${argv.join(' ')} has ended`);
    lines.on('line', onLine);
    return program;
  }

  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    // 'close' comes after the last line.
    this.#ended = once(child, 'close');
    child.stdin.on('error', () => {}); // it has ended, which `stop` waits for
  }

  /** Resolves when it has ended and its last line been read. Idempotent. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}
