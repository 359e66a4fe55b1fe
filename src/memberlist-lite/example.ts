/**
 * One member of a ring, on the command line. What is typed goes to all others. Ctrl-C leaves.
 *
 *   node src/memberlist-lite/example.ts a 127.0.0.1:7946
 *   node src/memberlist-lite/example.ts b 127.0.0.2:7946 127.0.0.1:7946
 *
 * With GOSSIP_SECRET, the content of MetalLB's Secret, all traffic is encrypted.
 */
import {
  fast,
  Memberlist,
  metallbKeys,
  NodeTransport,
  parseEndpoint,
  silentLogger,
  systemClock,
  systemRandom,
} from './index.ts';

const [name, at = '', ...peers] = process.argv.slice(2);
const here = parseEndpoint(at);
if (name === undefined || here === undefined) {
  console.error('usage: example.ts NAME ADDRESS:PORT [ADDRESS:PORT of others…]');
  process.exit(1);
}

const member = new Memberlist({
  name,
  advertise: here,
  transport: new NodeTransport(here),
  config: fast,
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  keys: metallbKeys(new TextEncoder().encode(process.env.GOSSIP_SECRET ?? '')),
});

member.onChange(({ type, member: { name: who, state } }) => console.log(`${type} ${who} (${state})`));
member.onMessage((payload, from) => console.log(`${from.name ?? from.address}: ${new TextDecoder().decode(payload)}`));

await member.start();
if (peers.length > 0) {
  const { joined, failed } = await member.join(peers);
  console.log(`joined ${joined} of ${peers.length}`);
  for (const { peer, error, detail } of failed) console.log(`${peer}: ${error}: ${detail}`);
}

process.stdin.on('data', (line) => {
  const failure = member.sendToAll(new TextEncoder().encode(line.toString().trim()));
  if (failure !== undefined) console.log(`not sent: ${failure}`);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await member.leave();
    await member.close();
    process.exit(0);
  });
}
