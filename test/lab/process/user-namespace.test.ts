import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, succeed } from '../../../src/lab/process/command.ts';
import { judge, type Trial, userNamespaceArgv } from '../../../src/lab/process/user-namespace.ts';
import { suite } from '../../support/suite.ts';

const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

/** This checkout, or where nobody may not read it, a copy; undefined unless we are root and can become nobody. */
const checkout = await readableCheckout();

async function readableCheckout(): Promise<{ readonly path: string; remove(): void } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const here = fileURLToPath(new URL('../../..', import.meta.url));
  const readable = await run([...asNobody, 'test', '-r', fileURLToPath(import.meta.url)]);
  if (readable.status === 0) return { path: here, remove() {} };
  const path = mkdtempSync(join(tmpdir(), 'garpoon-lab-checkout-'));
  const parts = ['src', 'test', 'deploy', 'package.json', 'node_modules'].map((name) => join(here, name));
  await succeed(['cp', '-r', ...parts, path], { timeout: 100_000 });
  await succeed(['chmod', '-R', 'a+rX', path]);
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

async function runAsNobody(file: string): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
  chmodSync(state, 0o777);
  const here = fileURLToPath(new URL('../../..', import.meta.url));
  const there = (path: string) =>
    path.startsWith(here) ? join(checkout?.path ?? here, path.slice(here.length)) : path;
  const path = fileURLToPath(new URL(file, import.meta.url));
  const inner = userNamespaceArgv(state, [there(process.execPath), there(path)]);
  const result = await run([...asNobody, ...inner], { timeout: 100_000 });
  rmSync(state, { recursive: true });
  assert.equal(result.status, 0, result.stdout + result.stderr);
}

const test = suite('lab/user-namespace');

const none = { maximum: undefined, unprivileged: undefined, apparmor: undefined };
const worked = { worked: true, said: '' };
const refused = { worked: false, said: 'unshare: unshare failed: Operation not permitted' };
const user: Trial = { uid: 1000, missing: undefined, direct: refused, userNamespace: refused, settings: none };

const cases: readonly (readonly [string, Partial<Trial>, string | RegExp])[] = [
  ['root works directly', { uid: 0, direct: worked, userNamespace: undefined }, 'direct'],
  ['anyone with the capability works directly', { direct: worked, userNamespace: undefined }, 'direct'],
  ['an ordinary user gets a user namespace', { userNamespace: worked }, 'user-namespace'],
  ['a container without capabilities is refused', { uid: 0 }, /^this root may not .*run the lab as root \(unshare: /],
  ['Debian’s switch is named', { settings: { ...none, unprivileged: '0' } }, /kernel\.unprivileged_userns_clone = 0/],
  ['Ubuntu’s switch is named', { settings: { ...none, apparmor: '1' } }, /apparmor_restrict_unprivileged_userns = 1/],
  ['the limit is named', { settings: { ...none, maximum: '0' } }, /max_user_namespaces = 0/],
  ['an unknown reason shows the kernel’s words', {}, /refuses this user.*Operation not permitted/],
  ['a missing command is named', { direct: worked, missing: 'nft' }, /needs the command "nft"/],
];
for (const [name, found, want] of cases) {
  test(name, () => {
    const privilege = judge({ ...user, ...found });
    if (typeof want === 'string') return assert.equal(privilege.mode, want);
    assert.ok(privilege.mode === 'refused');
    assert.match(privilege.reason, want);
    assert.doesNotMatch(privilege.reason, /\n/);
  });
}

if (checkout !== undefined) {
  test.after(() => checkout.remove());
  for (const file of [
    '../network/network.test.ts',
    './process-table.test.ts',
    './listen-in.test.ts',
    '../cluster/cluster.test.ts',
  ]) {
    test(`${file} passes for an ordinary user`, () => runAsNobody(file), 120_000);
  }
  test('the state directory is seen from outside, although /run is covered', async () => {
    const state = mkdtempSync('/run/garpoon-lab-test-');
    chownSync(state, 65534, 65534);
    const script = 'echo "$GARPOON_LAB_STATE" >"$GARPOON_LAB_STATE/seen" && ip netns add any && ls /run/netns';
    const result = await run([...asNobody, ...userNamespaceArgv(state, ['sh', '-c', script])]);
    assert.deepEqual(result, { status: 0, stdout: 'any\n', stderr: '' });
    assert.equal(readFileSync(join(state, 'seen'), 'utf8'), `${state}\n`);
    rmSync(state, { recursive: true });
  });
} else {
  test.skip('works for an ordinary user', 'needs root, to become one');
}
