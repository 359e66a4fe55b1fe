import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { eventually } from './eventually.ts';
import { nativeTool } from './native-tool.ts';
import type { Netns } from './netns.ts';
import { describeFrame, type Frame, readFrame, writeFrame } from './packets.ts';

/** A frame as an interface received it. `arrival` is the kernel's time stamp, in milliseconds since 1970. */
export type Received = { readonly bytes: Uint8Array; readonly frame: Frame; readonly arrival: number };

type Wanted = (frame: Frame) => boolean;
type Waiting = { readonly since?: number; readonly limit?: number | undefined };

/** Sends and receives whole frames on one interface, through native/tools/packet_io.cc. */
export class PacketIo {
  /** Resolves once the socket is open: what arrives after that is not missed. */
  static async open(netns: Pick<Netns, 'command'>, interfaceName: string): Promise<PacketIo> {
    const command = netns.command(nativeTool('packet_io'), interfaceName);
    const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const io = new PacketIo(child);
    await eventually(`packet_io is open on ${interfaceName}`, () => {
      assert.equal(child.exitCode, null, 'packet_io has ended');
      return io.#open;
    });
    return io;
  }

  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #open = false;
  #unread: Buffer = Buffer.alloc(0);
  #inbox: Received[] = [];

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  send(...frames: readonly (Frame | Uint8Array)[]): void {
    for (const frame of frames) {
      const bytes = frame instanceof Uint8Array ? frame : writeFrame(frame);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      this.#child.stdin.write(Buffer.concat([length, bytes]));
    }
  }

  /** `take`, waiting for the frame to arrive, `limit` milliseconds if not 3 s. */
  async receive(what: string, wanted: Wanted, { since = 0, limit }: Waiting = {}): Promise<Received> {
    try {
      return await eventually(what, () => this.take(wanted, since), limit ?? 3_000);
    } catch (cause) {
      const others = this.#inbox.map((each) => describeFrame(each.bytes)).join('\n');
      throw new Error(`not received: ${what}; received instead:\n${others || 'nothing'}`, { cause });
    }
  }

  /** Sends the request and takes the first answer that is wanted. What had arrived before is no answer. */
  ask(request: Frame, what: string, wanted: Wanted, limit?: number): Promise<Received> {
    const since = Date.now();
    this.takeAll(wanted);
    this.send(request);
    return this.receive(what, wanted, { since, limit });
  }

  /** The first frame in the inbox that is wanted and arrived no earlier than `since`, and out of it. */
  take(wanted: Wanted, since = 0): Received | undefined {
    const at = this.#inbox.findIndex((each) => each.arrival >= since && wanted(each.frame));
    return at === -1 ? undefined : this.#inbox.splice(at, 1)[0];
  }

  /** Everything in the inbox that is wanted, and out of it. */
  takeAll(wanted: Wanted): Received[] {
    const taken = this.#inbox.filter((each) => wanted(each.frame));
    this.#inbox = this.#inbox.filter((each) => !wanted(each.frame));
    return taken;
  }

  /**
   * Proves that none of `frames` draws a frame that is `unwanted`. There is no sleep: `barrier` sends a request that
   * must be answered and resolves with its answer; whoever answered that has dealt with what was sent before it. Its
   * answer must not be taken for one to `frames`: let another station ask.
   */
  async expectSilence(
    what: string,
    frames: readonly (Frame | Uint8Array)[],
    unwanted: Wanted,
    barrier: () => Promise<Received>,
  ): Promise<void> {
    const since = Date.now();
    this.send(...frames);
    await barrier();
    const broken = this.takeAll(unwanted).filter((each) => each.arrival >= since);
    assert.equal(
      broken.length,
      0,
      `${what}, but received:\n${broken.map((each) => describeFrame(each.bytes)).join('\n')}`,
    );
  }

  clear(): void {
    this.#inbox = [];
  }

  /** Resolves when the program has ended. Idempotent. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (;;) {
      if (this.#unread.length < recordHeader) return;
      const length = this.#unread.readUInt32LE(0);
      if (this.#unread.length < recordHeader + length) return;
      const arrival = Number(this.#unread.readBigUInt64LE(5)) / 1e6;
      const bytes = new Uint8Array(this.#unread.subarray(recordHeader, recordHeader + length));
      this.#unread = this.#unread.subarray(recordHeader + length);
      this.#open = true;
      const frame = readFrame(bytes);
      if (frame) this.#inbox.push({ bytes, frame, arrival });
    }
  }
}

const recordHeader = 13;
