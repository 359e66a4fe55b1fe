import assert from 'node:assert/strict';
import type { Secret } from '../../../src/kubernetes/core.ts';
import { secrets } from '../../../src/kubernetes/resource.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { type Password, Passwords } from '../../../src/speaker/bgp/passwords.ts';
import { impatient, system, TestCluster } from '../../support/cluster.ts';
import { eventually, suite } from '../../support/suite.ts';

const test = suite('speaker/bgp/passwords');

const key = `${system}/router`;
let cluster: TestCluster;
let passwords: Passwords;
let changes: number;
test.before.each(async () => {
  cluster = await TestCluster.start();
  changes = 0;
  const onChange = () => {
    changes += 1;
  };
  const edge = { clock: systemClock, random: impatient, log: silentLogger };
  passwords = new Passwords({ client: cluster.newClient(), onChange, ...edge });
});
test.after.each(async () => {
  await passwords.stop();
  await cluster.stop();
});

const secret = (data: Readonly<Record<string, string>>, type = 'kubernetes.io/basic-auth'): Secret => ({
  metadata: { name: 'router', namespace: system },
  type,
  data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')])),
});

async function told(expected: Password): Promise<void> {
  await eventually(`it is ${JSON.stringify(expected)}, not ${JSON.stringify(passwords.of(key))}`, () => {
    return JSON.stringify(passwords.of(key)) === JSON.stringify(expected);
  });
}

test('a password comes from the Secret, follows it, and each change is told', async () => {
  await cluster.put(secrets, secret({ password: 'first' }));
  passwords.want(new Set([key]));
  await told({ password: 'first' });
  const before = changes;
  await cluster.put(secrets, secret({ password: 'second' }));
  await told({ password: 'second' });
  assert.ok(changes > before);
});

test('a Secret that comes later than the peer is found', async () => {
  passwords.want(new Set([key]));
  await told({ problem: `there is no Secret ${key}: create it, of type kubernetes.io/basic-auth` });
  await cluster.put(secrets, secret({ password: 'late' }));
  await told({ password: 'late' });
  await cluster.client.delete(secrets, key);
  await told({ problem: `there is no Secret ${key}: create it, of type kubernetes.io/basic-auth` });
});

test('before the Secret was read, that is said', () => {
  passwords.want(new Set([key]));
  assert.deepEqual(passwords.of(key), { problem: `the Secret ${key} cannot be read yet`, isUnread: true });
});

test('a Secret that is not read for long is a fault, and that is told', async () => {
  await cluster.away();
  passwords.want(new Set([key]));
  await eventually('it is a fault', () => changes > 0);
  assert.deepEqual(passwords.of(key), { problem: `the Secret ${key} cannot be read yet` });
});

for (const [title, given, problem] of [
  [
    'of another type',
    secret({ password: 'x' }, 'Opaque'),
    `the Secret ${key} is of type Opaque: it has to be kubernetes.io/basic-auth`,
  ],
  ['without a password', secret({ username: 'x' }), `the Secret ${key} has no password: add one`],
  [
    'with a password beyond what TCP MD5 takes',
    secret({ password: 'x'.repeat(81) }),
    `the password of the Secret ${key} is too long: 80 bytes are possible`,
  ],
] as const) {
  test(`a Secret ${title} is no password, and it is said why`, async () => {
    await cluster.put(secrets, given);
    passwords.want(new Set([key]));
    await told({ problem });
  });
}

test('what is wanted no more is watched no more', async () => {
  await cluster.put(secrets, secret({ password: 'first' }));
  passwords.want(new Set([key]));
  await told({ password: 'first' });
  passwords.want(new Set());
  assert.throws(() => passwords.of(key), /is not watched/);
});
