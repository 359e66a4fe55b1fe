import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Config, fast } from '../../src/memberlist-lite/config.ts';
import { maxMetaBytes } from '../../src/memberlist-lite/limits.ts';
import { type MemberEvent, Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import { NodeTransport } from '../../src/memberlist-lite/node-transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { stateAt } from '../memberlist-lite/table-query.ts';
import { eventually, suite } from '../support/suite.ts';

/** A real peer: Serf is built on HashiCorp's memberlist. Debian: `apt-get install serf`. */
const serf = '/usr/bin/serf';
const port = 17956;
const test = suite('interop/memberlist-serf');
const run = promisify(execFile);

const key = new Uint8Array(32).fill(7);
/** As long as application data may be. Serf takes what is not its own for the role of an old agent. */
const role = 'r'.repeat(maxMetaBytes);
/** Serf refuses members whose delegate versions are not its own. */
const config: Config = { ...fast, delegateVersions: [2, 5, 4] };

if (existsSync(serf)) {
  for (const [index, [how, keys]] of (
    [
      ['in plain text', undefined],
      ['encrypted', [key]],
    ] as const
  ).entries()) {
    test(`we join Serf, ${how}, and see it die`, async () => {
      await withPair(index * 10 + 1, keys, async ({ ours, events, theirs }) => {
        assert.deepEqual(await ours.join([`${theirs.address}:${port}`]), { joined: 1, failed: [] });
        await eventually('we see Serf', () => sees(ours, 'serf'));
        await eventually('Serf sees us', async () => (await theirs.statusOf('ours')) === 'alive');
        assert.equal(await theirs.roleOf('ours'), role);
        await stable(ours);
        theirs.kill();
        await eventually('we miss Serf', () => !sees(ours, 'serf'));
        assert.equal(events.at(-1)?.member.state, 'dead');
      });
    });

    test(`Serf joins us, ${how}, and leaves`, async () => {
      await withPair(index * 10 + 2, keys, async ({ ours, address, events, theirs }) => {
        await theirs.call('join', `${address}:${port}`);
        await eventually('we see Serf', () => sees(ours, 'serf'));
        await eventually('Serf sees us', async () => (await theirs.statusOf('ours')) === 'alive');
        await stable(ours);
        await theirs.call('leave');
        await eventually('Serf has left', () => !sees(ours, 'serf'));
        assert.equal(events.at(-1)?.member.name, 'serf');
      });
    });

    test(`Serf sees us leave, ${how}, at once`, async () => {
      await withPair(index * 10 + 3, keys, async ({ ours, theirs }) => {
        await ours.join([`${theirs.address}:${port}`]);
        await eventually('Serf sees us', async () => (await theirs.statusOf('ours')) === 'alive');
        await ours.leave();
        // Sooner than any suspicion of Serf could run out. Serf itself says "failed" of us: it calls "left" only whoever
        // announced it in Serf's own messages, above memberlist. Its memberlist knows better.
        await eventually('Serf misses us', async () => (await theirs.statusOf('ours')) !== 'alive', 1500);
        assert.equal(await stateAt({ address: theirs.address, port }, 'ours', keys?.[0]), 'left');
      });
    });
  }

  test('the key of a ring with Serf is changed while it runs', async () => {
    const next = new Uint8Array(32).fill(8);
    await withPair(21, [key], async ({ ours, events, theirs }) => {
      await ours.join([`${theirs.address}:${port}`]);
      await eventually('each sees the other', async () => (await theirs.statusOf('ours')) === 'alive');
      assert.ok(ours.keyring);
      ours.keyring.add(next);
      await theirs.changeKey('install', next);
      await theirs.changeKey('use', next);
      await stable(ours);
      ours.keyring.use(next);
      ours.keyring.remove(key);
      await theirs.changeKey('remove', key);
      await stable(ours);
      assert.equal(await stateAt({ address: theirs.address, port }, 'ours', next), 'alive');
      assert.ok(!events.some(({ type }) => type === 'leave'));
    });
  }, 60_000);
} else {
  test.skip('a ring with Serf', `${serf} is not installed`);
}

type Serf = {
  readonly address: string;
  call(...args: string[]): Promise<string>;
  statusOf(name: string): Promise<string | undefined>;
  roleOf(name: string): Promise<string | undefined>;
  changeKey(change: 'install' | 'use' | 'remove', key: Uint8Array): Promise<void>;
  kill(): void;
};

type Pair = {
  readonly ours: Memberlist;
  readonly address: string;
  readonly events: readonly MemberEvent[];
  readonly theirs: Serf;
};

/** One of us and one Serf agent on loopback addresses of their own; both are gone afterwards. */
async function withPair(net: number, keys: readonly Uint8Array[] | undefined, body: (pair: Pair) => Promise<void>) {
  const address = `127.72.${net}.1`;
  const ours = new Memberlist({
    name: 'ours',
    advertise: { address, port },
    transport: new NodeTransport({ address, port }),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    config,
    meta: Buffer.from(role),
    ...(keys && { keys }),
  });
  const events: MemberEvent[] = [];
  ours.onChange((event) => events.push(event));
  let process: ChildProcess | undefined;
  try {
    await ours.start();
    const agent = await startSerf(`127.72.${net}.2`, keys?.[0]);
    process = agent.process;
    await body({ ours, address, events, theirs: agent.serf });
    assert.deepEqual(
      Object.entries(ours.counters.dropped).filter(([, count]) => count > 0),
      [],
    );
  } finally {
    process?.kill('SIGKILL');
    await ours.close();
  }
}

async function startSerf(
  address: string,
  encryption: Uint8Array | undefined,
): Promise<{ serf: Serf; process: ChildProcess }> {
  const rpc = `-rpc-addr=${address}:17373`;
  const args = ['agent', '-node=serf', `-bind=${address}:${port}`, rpc, '-log-level=warn'];
  if (encryption !== undefined) args.push(`-encrypt=${Buffer.from(encryption).toString('base64')}`);
  const process = spawn(serf, args, { stdio: 'ignore' });
  const call = async (command: string, ...rest: string[]) => (await run(serf, [command, rpc, ...rest])).stdout;
  const memberOf = async (name: string) => {
    const { members } = JSON.parse(await call('members', '-format=json')) as {
      members: { name: string; status: string; tags: Record<string, string> | null }[];
    };
    return members.find((member) => member.name === name);
  };
  const statusOf = async (name: string) => (await memberOf(name))?.status;
  const roleOf = async (name: string) => (await memberOf(name))?.tags?.role;
  await eventually('Serf runs', async () => (await statusOf('serf')) === 'alive');
  // Serf asks all members by a message of its own, which we pass over. It waits for our answer and reports that there
  // was none, after it has done what was asked.
  const changeKey = async (change: string, changed: Uint8Array) => {
    const text = Buffer.from(changed).toString('base64');
    const outcome = await call('keys', `-${change}=${text}`).then(
      (stdout) => stdout,
      (failure: { stdout: string; stderr: string }) => `${failure.stdout}${failure.stderr}`,
    );
    assert.match(outcome, /1\/2 nodes reported success/);
  };
  return { serf: { address, call, statusOf, roleOf, changeKey, kill: () => process.kill('SIGKILL') }, process };
}

function sees(ours: Memberlist, name: string): boolean {
  return ours.members().some((member) => member.name === name);
}

/** Both probe each other for a while and are content. */
async function stable(ours: Memberlist): Promise<void> {
  const before = ours.counters.probes;
  await eventually('ten probes', () => ours.counters.probes >= before + 10);
  assert.equal(ours.counters.probesMissed, 0);
  assert.equal(ours.counters.refutations, 0);
  assert.ok(sees(ours, 'serf'));
}
