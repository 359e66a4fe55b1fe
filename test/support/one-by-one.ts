import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { nativeTool } from './native-tool.ts';
import type { Netns } from './netns.ts';

/** native/bench/one_by_one.cc: the simple responder that benches measure ours against. */
export class OneByOne {
  /** Resolves once it answers. `under` is a program and its arguments that runs it in its own way. */
  static async start(
    netns: Netns,
    interfaceName: string,
    ranges: readonly { readonly first: string; readonly count: number }[],
    under: readonly string[] = [],
  ): Promise<OneByOne> {
    const arguments_ = ranges.map(({ first, count }) => `${first}+${count}`);
    const command = netns.command(...under, nativeTool('one_by_one'), interfaceName, ...arguments_);
    const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    assert.ok(first instanceof Buffer, 'one_by_one has ended');
    return new OneByOne(child);
  }

  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves when the program has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}
