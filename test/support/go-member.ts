import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

/** What the program in test/interop/memberlist-go tells. `at` is the member that it happened at. */
export type GoEvent = {
  readonly event: 'started' | 'answer' | 'join' | 'leave' | 'update' | 'message' | 'state' | 'log';
  readonly at?: string;
  readonly member?: GoView;
  readonly members?: readonly GoView[];
  readonly joined?: number;
  readonly error?: string;
  readonly text?: string;
};

/** What a Go member shows of another: whether it is suspected, or dead or gone, is not among it. */
export type GoView = {
  readonly name: string;
  readonly address: string;
  readonly meta: string;
};

export type GoSettings = {
  /** One member each, at consecutive addresses from the first on. */
  readonly names: readonly string[];
  readonly address: string;
  readonly port: number;
  readonly keys?: readonly Uint8Array[];
  readonly label?: string;
  /** True: without compression. */
  readonly plain?: boolean;
  /** 1: encryption version 0. */
  readonly protocol?: 1;
  /** The user state that it sends with every push/pull. */
  readonly state?: string;
};

/** A process with members on hashicorp/memberlist v0.5.1, with its `lan` settings, which are MetalLB's. */
export class GoMembers {
  readonly process: ChildProcess;
  readonly #first: string;
  /** What happened so far, answers left out. */
  readonly events: GoEvent[] = [];
  readonly #waiting: ((answer: GoEvent) => void)[] = [];
  #complaint = '';
  #started = false;

  /** Resolves when all its members listen. */
  static async start(program: string, settings: GoSettings): Promise<GoMembers> {
    const members = new GoMembers(program, settings);
    try {
      await eventually(`${settings.names.join(' ')} started`, () => members.#started || members.#ended());
    } catch (error) {
      members.kill();
      throw error;
    }
    return members;
  }

  private constructor(program: string, { keys = [], ...settings }: GoSettings) {
    this.#first = settings.names[0] ?? '';
    const hexadecimal = keys.map((key) => Buffer.from(key).toString('hex'));
    this.process = spawn(program, [JSON.stringify({ ...settings, keys: hexadecimal })], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Of one that is killed, the answer that is missing tells it.
    this.process.stdin?.on('error', () => {});
    this.process.stderr?.on('data', (text) => {
      this.#complaint += text;
    });
    if (this.process.stdout !== null) {
      createInterface(this.process.stdout).on('line', (line) => this.#hear(JSON.parse(line)));
    }
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  async members(of = this.#first): Promise<readonly GoView[]> {
    return (await this.#ask({ do: 'members', of })).members ?? [];
  }

  /** Whether one of them, the first unless named, counts a member in. */
  async sees(name: string, of = this.#first): Promise<boolean> {
    return (await this.members(of)).some((member) => member.name === name);
  }

  join(to: readonly string[], of = this.#first): Promise<GoEvent> {
    return this.#ask({ do: 'join', of, to });
  }

  leave(of = this.#first): Promise<GoEvent> {
    return this.#ask({ do: 'leave', of });
  }

  /** Sends a text to a member: in packets, or `reliable` over streams. */
  send(to: string, text: string, options: { reliable?: boolean; count?: number; of?: string } = {}): Promise<GoEvent> {
    return this.#ask({ do: 'send', of: this.#first, to: [to], text, ...options });
  }

  changeKey(change: 'add' | 'use' | 'remove', key: Uint8Array): Promise<GoEvent> {
    return this.#ask({ do: 'key', of: this.#first, text: change, key: Buffer.from(key).toString('hex') });
  }

  /** The log lines that contain a text. */
  logged(text: string): readonly string[] {
    return this.events.flatMap((event) => (event.event === 'log' && event.text?.includes(text) ? [event.text] : []));
  }

  /** Stops all of them from running, as a debugger or a frozen machine would, and lets them run again. */
  freeze(): void {
    this.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.process.kill('SIGCONT');
  }

  /** Ends all of them without a farewell. Idempotent. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  #ended(): never | false {
    if (this.process.exitCode === null) return false;
    throw new Error(`ended with ${this.process.exitCode}: ${this.#complaint}`);
  }

  #ask(command: object): Promise<GoEvent> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.process.stdin?.write(`${JSON.stringify(command)}\n`);
    });
  }

  #hear(event: GoEvent): void {
    if (event.event === 'started') this.#started = true;
    else if (event.event === 'answer') this.#waiting.shift()?.(event);
    else this.events.push(event);
  }
}
