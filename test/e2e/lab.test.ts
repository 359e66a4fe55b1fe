import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { netSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';
import { Installation, type RunningLab } from './garpoon.ts';

const test = netSuite('e2e/lab');
const address = '198.18.0.100';

let installation: Installation;
test.before(async () => {
  installation = await Installation.create();
});
test.after(() => installation.remove());

const resources = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [198.18.0.100-198.18.0.119, "2001:db8:0:1::100-2001:db8:0:1::1ff"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`;

test('the demo ends in a failover of an IPv4 and an IPv6 address, and leaves nothing behind', async () => {
  const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-demo-'));
  const running = installation.run(['lab', 'demo'], { env: { GARPOON_LAB_STATE: state } });
  const id = await eventually('the run is recorded', () => runIn(state));
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  for (const family of ['IPv4', 'IPv6']) {
    assert.match(
      stdout,
      new RegExp(`cut +${family} +[1-9]\\d* of \\d+ +\\d+\\.\\d+ s`),
      'the cut was noticed and ended',
    );
    // A connection that is under way when the address moves may break: the new node does not know it.
    const stop = new RegExp(`stopped in good order +${family} +(\\d+) of \\d+ +\\S+(?: s)? +(\\S+)`).exec(stdout);
    const [, failed, lastFailure = ''] = stop ?? [];
    assert.ok(Number(failed) <= 3, `${failed} requests failed at a stop in good order`);
    assert.ok(lastFailure === '-' || Number.parseFloat(lastFailure) < 1, `the last one after ${lastFailure} s`);
  }
  assert.deepEqual(namespacesOf(id), []);
  assert.deepEqual(readdirSync(state), []);
  rmSync(state, { recursive: true });
}, 120_000);

for (const mark of ['A bare-metal LAN', 'switch port']) {
  test(`a demo that is interrupted after "${mark}" cleans up`, async () => {
    const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-interrupted-'));
    assert.equal(await installation.interruptDemo(state, mark), 1);
    assert.deepEqual(readdirSync(state), []);
    rmSync(state, { recursive: true });
  });
}

test('the demo works for an ordinary user, in a user namespace', async () => {
  const asNobody = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-user-'));
  rmSync(state, { recursive: true });
  const { code, stdout, stderr } = await installation.run(['lab', 'demo'], {
    prefix: asNobody,
    env: { GARPOON_LAB_STATE: state, HOME: tmpdir() },
  });
  rmSync(state, { recursive: true, force: true });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
}, 120_000);

test(
  'a lab that is up answers kubectl and the other shells, and fails over with the API server away',
  () =>
    withLab(async (lab) => {
      assert.equal((await lab.kubectl(['apply', '-f', '-'], resources)).code, 0);
      await lab.kubectl(['create', 'deployment', 'web', '--image=any', '--port=80', '--replicas=3']);
      await lab.kubectl(['expose', 'deployment', 'web', '--type=LoadBalancer', '--port=80']);
      const answered = await eventually('curl is answered', async () => {
        const { code, stdout } = await lab.lab(
          'exec',
          'client',
          '--',
          'curl',
          '-s',
          '--max-time',
          '1',
          `http://${address}/`,
        );
        return code === 0 ? stdout : undefined;
      });
      assert.match(answered, /^web-\d saw /);
      const leader = await eventually('a node answers ARP', () => lab.announcer(address));

      for (const node of ['n1', 'n2', 'n3']) assert.equal((await lab.lab('cut-api', node)).code, 0);
      assert.equal((await lab.lab('cut', leader)).code, 0);
      const successor = await eventually('another node takes over', () => lab.announcer(address));
      assert.notEqual(successor, leader);
      assert.equal((await lab.lab('plug', leader)).code, 0);
      await eventually('the first node takes its address back', async () => (await lab.announcer(address)) === leader);

      for (const node of ['n1', 'n2', 'n3']) await lab.lab('plug-api', node);
      assert.equal((await lab.lab('kill', leader)).code, 0);
      await eventually('another node takes over', async () => {
        const now = await lab.announcer(address);
        return now !== undefined && now !== leader;
      });
      await eventually('kubectl shows the speaker as failed', async () => {
        const { stdout } = await lab.kubectl(['get', 'pod', '-n', 'metallb-system', `garpoon-speaker-${leader}`]);
        return / 0\/1 +(Failed|Error) /.test(stdout);
      });
      assert.equal((await lab.lab('start', leader)).code, 0);
      await eventually('the first node takes its address back', async () => (await lab.announcer(address)) === leader);
      assert.equal(await lab.interrupt(), 0);
    }),
  120_000,
);

test('a hung speaker is replaced, and gives way when it wakes up', () =>
  withLab(async (lab) => {
    await lab.kubectl(['apply', '-f', '-'], resources);
    await lab.kubectl(['create', 'deployment', 'web', '--image=any', '--port=80', '--replicas=3']);
    await lab.kubectl(['expose', 'deployment', 'web', '--type=LoadBalancer', '--port=80']);
    const leader = await eventually('a node answers ARP', () => lab.announcer(address));
    await lab.lab('pause', leader);
    await eventually('another node answers', async () => {
      const now = await lab.announcer(address);
      return now !== undefined && now !== leader;
    });
    await lab.lab('resume', leader);
    await eventually('the first node answers again', async () => (await lab.announcer(address)) === leader);
    await lab.interrupt();
  }));

test('what is wrong in a command is said in a line', () =>
  withLab(async (lab) => {
    for (const [args, problem] of [
      [['cut', 'n9'], 'no node "n9"'],
      [['kill', 'n9'], 'one of controller, n1, n2, n3'],
      [['exec', 'moon', '--', 'true'], 'no host "moon"'],
      [['exec', 'client'], 'give a command'],
    ] as const) {
      const { code, stderr } = await lab.lab(...args);
      assert.equal(code, 1, stderr);
      assert.ok(stderr.includes(problem), stderr);
    }
    await lab.interrupt();
  }));

test('what a killed lab left behind is removed by the next', async () => {
  const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-killed-'));
  try {
    const killed = await installation.labUp(state);
    const id = runIn(state) ?? '';
    const left = namespacesOf(id);
    assert.ok(left.length > 0);
    await killed.kill();
    assert.deepEqual(namespacesOf(id), left, 'a killed lab cannot clean up');
    const next = await installation.labUp(state);
    assert.deepEqual(namespacesOf(id), []);
    await next.interrupt();
    assert.deepEqual(readdirSync(state), []);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});

/** A lab with a state directory of its own, which must be empty again at the end. */
async function withLab(run: (lab: RunningLab) => Promise<void>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-'));
  const lab = await installation.labUp(state);
  try {
    await run(lab);
    assert.deepEqual(readdirSync(state), []);
  } finally {
    await lab.interrupt();
    rmSync(state, { recursive: true, force: true });
  }
}

/** The id of the run that a state directory records; its folder is called ID.PID.START. */
function runIn(state: string): string | undefined {
  return readdirSync(state)[0]?.split('.')[0];
}

function namespacesOf(id: string): readonly string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`gp-${id}-`));
}
