import { presets } from '../src/memberlist-lite/config.ts';
import { Memberlist } from '../src/memberlist-lite/memberlist.ts';
import { NodeTransport } from '../src/memberlist-lite/node-transport.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { systemRandom } from '../src/runtime/random.ts';

/** One member in a process of its own, whose processor time is its own: says "joined", and ends with its stdin. */
type Settings = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly preset: keyof typeof presets;
  readonly key: string;
  readonly join: string;
};

const { name, address, port, preset, key, join }: Settings = JSON.parse(process.argv[2] ?? '');
const member = new Memberlist({
  name,
  advertise: { address, port },
  transport: new NodeTransport({ address, port }),
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  config: presets[preset],
  keys: [Buffer.from(key, 'hex')],
});
await member.start();
const { failed } = await member.join([join]);
if (failed.length > 0) throw new Error(JSON.stringify(failed));
console.log('joined');
process.stdin.on('end', () => process.exit()).resume();
