import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { bundle } from '../../../scripts/bundle.mjs';
import { freePort } from '../../support/real-api-server.ts';
import { eventually } from '../../support/suite.ts';

/** Milliseconds. */
const startLimit = 30_000;
const exitLimit = 20_000;

/** The product's controller, in a process of its own. */
export class ControllerProcess {
  readonly #child: ChildProcess;
  readonly #healthPort: number;
  #log = '';

  /** Without webhooks unless `flags` say otherwise: no network leads from the API server to a Service. */
  static async start(
    kubeconfig: string,
    namespace: string,
    flags: readonly string[] = ['--webhook-mode=disabled'],
  ): Promise<ControllerProcess> {
    const entry = await bundle();
    const healthPort = await freePort();
    const health = ['--health-probe-host=127.0.0.1', `--health-probe-port=${healthPort}`];
    const place = [`--kubeconfig=${kubeconfig}`, `--namespace=${namespace}`];
    const args = [entry, 'controller', ...place, '--port=0', ...flags, ...health];
    const started = new ControllerProcess(
      spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }),
      healthPort,
    );
    try {
      await eventually('the controller is ready', () => started.isReady(), startLimit);
    } catch (error) {
      await started.kill();
      throw new Error(`${(error as Error).message}\n${started.#log}`);
    }
    return started;
  }

  private constructor(child: ChildProcess, healthPort: number) {
    this.#child = child;
    this.#healthPort = healthPort;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-100_000);
      });
    }
    process.once('exit', () => child.kill('SIGKILL'));
  }

  async isReady(): Promise<boolean> {
    if (this.hasEnded) throw new Error(`the controller ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
    return (await fetch(`http://127.0.0.1:${this.#healthPort}/readyz`)).ok;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Asks it to stop, and resolves to its exit code. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.hasEnded) {
      const ended = once(this.#child, 'exit', { signal: AbortSignal.timeout(exitLimit) });
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode;
  }
}
