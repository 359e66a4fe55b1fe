import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { ConnectionCallbacks } from '../../src/bgp/transport.ts';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { RouterDiscovery } from '../../src/layer2/router-discovery.ts';
import { TcpTransport } from '../../src/speaker/bgp/tcp-transport.ts';
import { isolatedSuite } from '../support/net-suite.ts';
import { Netns } from '../support/netns.ts';
import { eventually } from '../support/suite.ts';

// FRR with a neighbor that is an interface, and this process at the other end of the cable. Debian: `apt-get install frr`.
const test = isolatedSuite('interop/unnumbered');

const ip = (...args: readonly string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const closers: (() => unknown)[] = [];
test.after.each(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startFrr(router: Netns): Promise<void> {
  const run = `/var/run/frr/${router.name}`;
  const [uid, gid] = ['passwd', 'group'].map((file) =>
    Number(/^frr:[^:]*:(\d+)/m.exec(readFileSync(`/etc/${file}`, 'utf8'))?.[1]),
  );
  const folders = [run, `/etc/frr/${router.name}`];
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, uid!, gid!);
  }
  closers.push(async () => {
    for (const daemon of ['bgpd', 'zebra']) {
      const pid = Number(readFileSync(`${run}/${daemon}.pid`, 'utf8'));
      process.kill(pid);
      await eventually(`${daemon} has ended`, () => !existsSync(`/proc/${pid}/exe`) || isZombie(pid));
    }
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  for (const daemon of ['zebra', 'bgpd']) {
    router.run(`/usr/lib/frr/${daemon}`, '-d', '-N', router.name, '-A', '127.0.0.1', '-P', '0', '-f', '/dev/null');
  }
  const commands = [
    'configure terminal',
    'router bgp 64500',
    'bgp router-id 198.18.0.2',
    'no bgp ebgp-requires-policy',
    'timers bgp 3 9',
    'neighbor eth0 interface remote-as external',
    'neighbor eth0 timers connect 1',
  ];
  const vtysh = () => router.run('vtysh', '-N', router.name, ...commands.flatMap((each) => ['-c', each]));
  await eventually('FRR is configured', () => vtysh() !== undefined);
}

const isZombie = (pid: number) => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

test('FRR is found by its advertisements, and connects to us because of ours', async () => {
  const router = Netns.create('frr');
  closers.push(() => router.destroy());
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', router.name);
  ip('link', 'set', 'eth0', 'up');
  router.ip('link', 'set', 'eth0', 'up');
  await startFrr(router);

  const transport = new TcpTransport();
  const accepted: string[] = [];
  const opens: Uint8Array[] = [];
  const silent: ConnectionCallbacks = { onData: (bytes) => opens.push(bytes), onDrain() {}, onClose() {} };
  const listener = await transport.listen({
    address: parseAddress('::')!,
    port: 179,
    peers: [],
    onConnection: (incoming) => {
      accepted.push(`${formatAddress(incoming.remoteAddress)}%${incoming.localInterface}`);
      const connection = incoming.open(silent);
      closers.push(() => connection.destroy());
    },
    onError: (error) => assert.fail(error),
  });
  closers.push(() => listener.close());
  const discovery = new RouterDiscovery({ onEvent() {} });
  closers.push(() => discovery.close());
  discovery.setInterfaces(['eth0']);

  const heard = await eventually('FRR is heard', () => discovery.routers('eth0')[0], 15_000);
  const linkLocal = /fe80::[0-9a-f:]+/.exec(router.ip('-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'link'))![0];
  assert.equal(formatAddress(heard.address), linkLocal);

  await eventually('FRR connects', () => accepted.length > 0, 20_000);
  assert.equal(accepted[0], `${linkLocal}%eth0`);
  await eventually('it says OPEN', () => opens.length > 0);
  assert.equal(opens[0]![18], 1);

  // And the other way.
  const dialled = await transport.dial(
    {
      address: heard.address,
      interface: 'eth0',
      port: 179,
      ttl: 255,
      minimumTtl: 1,
      signal: AbortSignal.timeout(5_000),
    },
    silent,
  );
  closers.push(() => dialled.destroy());
  assert.equal(dialled.localInterface, 'eth0');
}, 60_000);
