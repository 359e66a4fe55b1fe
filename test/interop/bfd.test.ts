import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BfdBed, sides, stateOf, towardsPeer } from '../support/bfd-bed.ts';
import { netSuite } from '../support/net-suite.ts';
import type { ResponderProcess } from '../support/responder-process.ts';
import type { BfdWish } from '../support/responder-program.ts';
import { eventually } from '../support/suite.ts';

/** What routers run. Debian: `apt-get install frr bird2`. Both keep the side `b`. */
const bfdd = '/usr/lib/frr/bfdd';
const bird = '/usr/sbin/bird';
const test = netSuite('interop/bfd');

type Timers = { readonly interval: number; readonly multiplier: number; readonly echo?: number };
type Variant = {
  readonly family: 'v4' | 'v6';
  readonly multihop: boolean;
  readonly authentication?: BirdAuthentication;
};

/** As BIRD calls them: FRR has none. */
type BirdAuthentication = 'simple' | 'keyed md5' | 'meticulous keyed md5' | 'keyed sha1' | 'meticulous keyed sha1';

interface Router {
  configure(timers: Timers): void;
  isUp(): boolean;
  /** Of its own, that came back. */
  echoesReceived(): number;
  close(): Promise<void>;
}

const secret = 'interop';
const typeOf = {
  simple: 'password',
  'keyed md5': 'md5',
  'meticulous keyed md5': 'meticulousMd5',
  'keyed sha1': 'sha1',
  'meticulous keyed sha1': 'meticulousSha1',
} as const;

let bed: BfdBed;
let router: Router | undefined;
test.before.each(() => {
  bed = BfdBed.create();
});
test.after.each(async () => {
  await router?.close();
  router = undefined;
  await bed.close();
});

const routers: readonly {
  readonly name: string;
  readonly program: string;
  readonly start: (variant: Variant, timers: Timers) => Promise<Router>;
  readonly variants: readonly Variant[];
}[] = [
  {
    name: 'FRR',
    program: bfdd,
    start: startFrr,
    variants: [
      { family: 'v4', multihop: false },
      { family: 'v6', multihop: false },
      { family: 'v4', multihop: true },
    ],
  },
  {
    name: 'BIRD',
    program: bird,
    start: startBird,
    variants: [
      { family: 'v4', multihop: false },
      { family: 'v6', multihop: true },
      ...(Object.keys(typeOf) as BirdAuthentication[]).map(
        (authentication) => ({ family: 'v4', multihop: false, authentication }) as const,
      ),
    ],
  },
];

for (const { name, program, start, variants } of routers) {
  for (const variant of variants) {
    const { family, multihop, authentication } = variant;
    const how = `IP${family}, ${multihop ? 'several hops' : 'one hop'}${authentication ? `, ${authentication}` : ''}`;
    const title = `up with ${name}, other timers, and down when nothing passes: ${how}`;
    if (!existsSync(program)) {
      test.skip(title, `${program} is not installed`);
      continue;
    }
    test(title, async () => {
      const ours = await bed.responder('a');
      await ours.setBfdSessions(wishOf(variant));
      router = await start(variant, { interval: 100, multiplier: 3 });
      await negotiated(ours, { transmitInterval: 100, receiveInterval: 100, detectionTime: 300 });
      assert.ok(router.isUp());

      await ours.setBfdSessions(wishOf(variant, { desiredMinTx: 150, requiredMinRx: 200, detectMultiplier: 5 }));
      await negotiated(ours, { transmitInterval: 150, receiveInterval: 200, detectionTime: 600 });
      router.configure({ interval: 300, multiplier: 4 });
      await negotiated(ours, { transmitInterval: 300, receiveInterval: 300, detectionTime: 1200 });
      router.configure({ interval: 50, multiplier: 3 });
      await negotiated(ours, { transmitInterval: 150, receiveInterval: 200, detectionTime: 600 });
      // BIRD makes a session anew when its options change, and then says so.
      assert.ok(router.isUp());
      const { flaps } = await stateOf(ours);
      assert.ok(flaps <= (name === 'BIRD' ? 2 : 0), `${flaps} flaps`);

      ours.events.length = 0;
      const cut = Date.now();
      bed.cut();
      const event = await ours.event('the session is down', (each) => each.type === 'bfd');
      assert.ok(event.type === 'bfd' && event.diagnostic === 'detectionTimeExpired');
      assert.ok(event.at - cut < 800, `after ${event.at - cut} ms`);
      await eventually(`${name} sees it`, () => !router!.isUp());
      bed.repair();
      await eventually('it is up again', async () => (await stateOf(ours)).state === 'up' && router!.isUp());
    }, 60_000);
  }
}

const echoVariant = { family: 'v4', multihop: false } as const;
const echoTimers = { interval: 100, multiplier: 3, echo: 50 };
const echoCases = [
  ['echo with FRR: each returns what the other sends, and a cut is found by it', returnedByBoth],
  ['FRR that says that it returns echo packets and does not forward is watched by control packets', returnedByNone],
] as const;
for (const [title, body] of echoCases) {
  if (existsSync(bfdd)) test(title, body, 60_000);
  else test.skip(title, `${bfdd} is not installed`);
}

async function returnedByBoth(): Promise<void> {
  forwarding(true);
  const ours = await bed.responder('a');
  await ours.setBfdSessions(wishOf(echoVariant, { echo: { interval: 50 } }));
  router = await startFrr(echoVariant, echoTimers);
  forwarding(true);
  await negotiated(ours, { receiveInterval: 1_000 });
  await eventually('ours come back', async () => (await stateOf(ours)).echo.received > 20);
  await eventually('theirs come back', () => router!.echoesReceived() > 20);
  const { flaps, echo } = await stateOf(ours);
  assert.deepEqual([flaps, echo.state, echo.offered, router.isUp()], [0, 'working', true, true]);
  ours.events.length = 0;
  const cut = Date.now();
  bed.cut();
  const event = await ours.event('the session is down', (each) => each.type === 'bfd');
  assert.ok(event.type === 'bfd' && event.diagnostic === 'echoFailed', JSON.stringify(event));
  assert.ok(event.at - cut < 300, `after ${event.at - cut} ms`);
  await eventually('FRR sees it', () => !router!.isUp());
  bed.repair();
  await eventually('it is up again', async () => (await stateOf(ours)).state === 'up' && router!.isUp());
  await eventually('echo works again', async () => (await stateOf(ours)).echo.state === 'working');
}

async function returnedByNone(): Promise<void> {
  const ours = await bed.responder('a');
  await ours.setBfdSessions(wishOf(echoVariant, { echo: { interval: 50 } }));
  router = await startFrr(echoVariant, echoTimers);
  forwarding(false);
  await eventually('it is tried', async () => (await stateOf(ours)).echo.sent > 2);
  await negotiated(ours, { detectionTime: 300 });
  const { flaps, echo } = await stateOf(ours);
  // Nor does this side forward: FRR is told to send none.
  assert.deepEqual([flaps, echo.state, echo.offered, echo.returned], [0, 'trial', false, 0]);
  assert.ok(router.isUp());
}

/** Of the kernels of both sides. zebra switches it on when it starts. */
function forwarding(on: boolean): void {
  for (const side of ['a', 'b'] as const) bed[side].run('sysctl', '-q', '-w', `net.ipv4.ip_forward=${on ? 1 : 0}`);
}

function wishOf({ family, multihop, authentication }: Variant, wish: Partial<BfdWish> = {}): BfdWish {
  const key = Buffer.from(secret).toString('hex');
  return towardsPeer('a', {
    peer: sides.b[family],
    local: sides.a[family],
    multihop,
    port: multihop ? 4784 : 3784,
    // BIRD sends with 64 then, FRR with 255.
    ...(multihop ? { minimumTtl: 64 } : { interface: 'eth0' }),
    ...(authentication === undefined ? {} : { authentication: { type: typeOf[authentication], keyId: 1, key } }),
    ...wish,
  });
}

async function negotiated(ours: ResponderProcess, wanted: Readonly<Record<string, number>>): Promise<void> {
  let last: unknown;
  try {
    await eventually('the timers are in use', async () => {
      const state = await stateOf(ours);
      last = state;
      return (
        state.state === 'up' && Object.entries(wanted).every(([name, value]) => Reflect.get(state, name) === value)
      );
    });
  } catch (cause) {
    throw new Error(`not as wanted: ${JSON.stringify(last)}`, { cause });
  }
}

async function startFrr({ family, multihop }: Variant, timers: Timers): Promise<Router> {
  const name = bed.b.name;
  const run = `/var/run/frr/${name}`;
  const [uid, gid] = ['passwd', 'group'].map((file) =>
    Number(/^frr:[^:]*:(\d+)/m.exec(readFileSync(`/etc/${file}`, 'utf8'))?.[1]),
  );
  for (const folder of [run, `/etc/frr/${name}`]) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, uid!, gid!);
  }
  for (const daemon of ['zebra', 'bfdd']) {
    bed.b.run(`/usr/lib/frr/${daemon}`, '-d', '-N', name, '-A', '127.0.0.1', '-P', '0', '-f', '/dev/null');
  }
  const vtysh = (...commands: string[]) => bed.b.run('vtysh', '-N', name, ...commands.flatMap((each) => ['-c', each]));
  const where = multihop ? 'multihop' : '';
  const through = multihop ? '' : 'interface eth0';
  const configure = ({ interval, multiplier, echo }: Timers) => {
    vtysh(
      'configure terminal',
      'bfd',
      `peer ${sides.a[family]} ${where} local-address ${sides.b[family]} ${through}`,
      `receive-interval ${interval}`,
      `transmit-interval ${interval}`,
      `detect-multiplier ${multiplier}`,
      ...(echo === undefined ? [] : [`echo transmit-interval ${echo}`, `echo receive-interval ${echo}`, 'echo-mode']),
      'no shutdown',
    );
  };
  await eventually('FRR listens', () => vtysh('show bfd peers json').includes('['));
  configure(timers);
  return {
    configure,
    isUp: () => JSON.parse(vtysh('show bfd peers json'))[0]?.status === 'up',
    echoesReceived: () => JSON.parse(vtysh('show bfd peers counters json'))[0]?.['echo-packet-input'] ?? 0,
    async close() {
      for (const daemon of ['bfdd', 'zebra']) {
        const pid = Number(readFileSync(`${run}/${daemon}.pid`, 'utf8'));
        process.kill(pid);
        await eventually(`${daemon} has ended`, () => hasEnded(pid));
      }
      for (const folder of [run, `/etc/frr/${name}`]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A daemon is not our child; and its parent may be slow to take notice. */
function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || / Z /.test(readFileSync(file, 'utf8'));
}

async function startBird({ family, multihop, authentication }: Variant, timers: Timers): Promise<Router> {
  const folder = mkdtempSync(join(tmpdir(), 'garpoon-bird-'));
  chmodSync(folder, 0o700);
  const file = join(folder, 'bird.conf');
  const socket = join(folder, 'bird.ctl');
  const birdc = (...command: string[]) => bed.b.run('birdc', '-s', socket, ...command);
  const write = ({ interval, multiplier }: Timers) => {
    const key = authentication ? `authentication ${authentication}; password "${secret}" { id 1; };` : '';
    const options = `{ interval ${interval} ms; multiplier ${multiplier}; ${key} }`;
    const how = multihop ? `multihop ${options};` : `interface "eth0" ${options};`;
    const [us, them] = [sides.b[family], sides.a[family]];
    const place = multihop ? `local ${us} multihop on` : 'dev "eth0"';
    writeFileSync(
      file,
      `router id 198.18.0.2;
       protocol device { scan time 1; }
       protocol bfd { ${how} neighbor ${them} ${place}; }`,
    );
  };
  write(timers);
  const child: ChildProcess = spawn(
    'ip',
    ['netns', 'exec', bed.b.name, bird, '-f', '-c', file, '-s', socket, '-P', join(folder, 'pid')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await eventually('BIRD listens', () => existsSync(socket) && child.exitCode === null);
  return {
    configure(changed) {
      write(changed);
      birdc('configure');
    },
    isUp: () => / Up /.test(birdc('show', 'bfd', 'sessions')),
    echoesReceived: () => 0, // it has no echo
    async close() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
