import { LineProgram } from './line-program.ts';
import { nativeTool } from './native-tool.ts';
import type { Netns } from './netns.ts';
import type { Sighting } from './sightings.ts';

export type OwnerWatchOptions = {
  readonly interfaceName: string;
  readonly addresses: readonly string[];
  /** How often a second everybody is asked for each address. */
  readonly rate: number;
};

/** native/bench/owner_watch.cc: a bystander who asks again and again who has each address. */
export class OwnerWatch {
  static async start(netns: Pick<Netns, 'command'>, options: OwnerWatchOptions): Promise<OwnerWatch> {
    const watch = new OwnerWatch();
    const { interfaceName, addresses, rate } = options;
    const argv = netns.command(nativeTool('owner_watch'), interfaceName, String(rate), ...addresses);
    watch.#program = await LineProgram.start(argv, (line) => watch.#read(line));
    return watch;
  }

  readonly #sightings: Sighting[] = [];
  /** By the index of the address: who answered last. */
  readonly #owners = new Map<number, string>();
  #program: LineProgram | undefined;

  private constructor() {}

  /** By the index of the address: the MAC address of whoever answered last. */
  owners(): ReadonlyMap<number, string> {
    return this.#owners;
  }

  sightings(): readonly Sighting[] {
    return this.#sightings;
  }

  /** Resolves when the last sighting has been read. Idempotent. */
  async stop(): Promise<readonly Sighting[]> {
    await this.#program?.stop();
    return this.#sightings;
  }

  #read(line: string): void {
    const [at = '', target = '', mac = '', kind] = line.split(' ');
    const sighting = { at: Number(at) / 1000, target: Number(target), mac, kind: kind as Sighting['kind'] };
    this.#sightings.push(sighting);
    if (kind === 'answer') this.#owners.set(sighting.target, mac);
  }
}
