import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { Announcer, type AnnouncerOptions, type ProbePolicy } from '../../src/layer2/announcer.ts';
import { type Announcement, maxInterfacePatterns } from '../../src/layer2/responder.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/announcer');
const address = (text: string) => parseAddress(text)!;
const printer = { mac: '02:00:00:00:00:99', interface: 'eth0' };

/**
 * Records what the responder was told, in words: `192.0.2.1@all`, `192.0.2.1@all(held)`, `burst 192.0.2.1`,
 * `burst 192.0.2.1 x1`, `probe 192.0.2.1`; and `refused 192.0.2.1`.
 */
function announcerWithRecord(probe: ProbePolicy = 'off') {
  const told: string[] = [];
  const entryText = ({ address: of, interfaces, held }: Announcement) =>
    `${formatAddress(of)}@${interfaces}${held ? '(held)' : ''}`;
  const responder: AnnouncerOptions['responder'] = {
    setAnnouncements: (table) => void told.push(table.map(entryText).join(' ') || 'nothing'),
    announce: (addresses, rounds) =>
      void told.push(`burst ${addresses.map(formatAddress).join(' ')}${rounds === undefined ? '' : ` x${rounds}`}`),
    probe: (addresses) => void told.push(`probe ${addresses.map(formatAddress).join(' ')}`),
  };
  const clock = new FakeClock();
  const onRefused: AnnouncerOptions['onRefused'] = (refused) => void told.push(`refused ${formatAddress(refused)}`);
  const announcer = new Announcer({ responder, probe, rate: 400, clock, onRefused });
  /** A Service that is given these addresses now. */
  const assign = (service: string, ...texts: readonly string[]) => {
    const addresses = texts.map(address);
    announcer.set(service, { addresses, interfaces: 'all', newlyAssigned: addresses });
  };
  return { announcer, clock, assign, told: () => told.splice(0) };
}

test('a new address is put in the table and announced, once', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@all', 'burst 192.0.2.1']);
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.set('default/dns', { addresses: [address('2001:db8::1')], interfaces: 'all' });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@all 2001:db8::1@all', 'burst 2001:db8::1']);
});

test('changes of one turn are one swap', async () => {
  const { announcer, clock, told } = announcerWithRecord();
  for (let i = 1; i <= 3; i++) {
    announcer.set(`default/s${i}`, { addresses: [address(`192.0.2.${i}`)], interfaces: 'all' });
  }
  assert.deepEqual(told(), []);
  await clock.advance(20);
  assert.equal(told().length, 2);
});

test('a withdrawn service leaves the table without a burst', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  told();
  announcer.set('default/web', undefined);
  announcer.flush();
  assert.deepEqual(told(), ['nothing']);
});

test('a shared address is announced on the union of interfaces, and stays while one service wants it', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/tcp', { addresses: [address('192.0.2.1')], interfaces: ['eth1'] });
  announcer.set('default/udp', { addresses: [address('192.0.2.1')], interfaces: ['eth0'] });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@eth0,eth1', 'burst 192.0.2.1']);
  announcer.set('default/tcp', undefined);
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@eth0']);
});

test('an address that comes to a further interface is announced again', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: ['eth0'] });
  announcer.flush();
  told();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@all', 'burst 192.0.2.1']);
});

test('names that no interface can have are left out, whatever they are', () => {
  const { announcer, told } = announcerWithRecord();
  const impossible = ['', 'a/b', 'a b', 'sixteen-letters-', '..', 'à'];
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: [...impossible, 'eth0', 'bond*'] });
  announcer.set('default/shared', { addresses: [address('192.0.2.1')], interfaces: [...impossible, 'eth1'] });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@bond*,eth0,eth1', 'burst 192.0.2.1']);
});

test('a service that is left with no possible interface is announced nowhere, and withdrawn if it was', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/dns', { addresses: [address('192.0.2.2')], interfaces: [] });
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: ['eth0'] });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@eth0', 'burst 192.0.2.1']);
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: ['eth 0'] });
  announcer.flush();
  assert.deepEqual(told(), ['nothing']);
  assert.deepEqual([...announcer.services()], []);
});

test('an address is never announced on more interfaces than the responder takes', () => {
  const tables: (readonly Announcement[])[] = [];
  const announcer = new Announcer({
    clock: new FakeClock(),
    responder: { setAnnouncements: (table) => void tables.push(table), announce: () => {}, probe: () => {} },
    probe: 'off',
    rate: 400,
    onRefused() {},
  });
  const names = (prefix: string) => Array.from({ length: maxInterfacePatterns + 1 }, (_, i) => `${prefix}${i}`);
  announcer.set('default/tcp', { addresses: [address('192.0.2.1')], interfaces: names('a') });
  announcer.set('default/udp', { addresses: [address('192.0.2.1')], interfaces: names('b') });
  announcer.set('default/web', { addresses: [address('192.0.2.2')], interfaces: names('c') });
  announcer.flush();
  const lengths = tables.flat().map((entry) => entry.interfaces.length);
  assert.deepEqual(lengths, [maxInterfacePatterns, maxInterfacePatterns]);
});

test('repeat announces the whole table as it is now, and nothing when it is empty', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1'), address('2001:db8::1')], interfaces: 'all' });
  announcer.flush();
  told();
  announcer.repeat();
  assert.equal(told().at(-1), 'burst 192.0.2.1 2001:db8::1');
  announcer.set('default/web', undefined);
  announcer.repeat();
  assert.equal(told().at(-1), 'nothing');
});

test('close withdraws everything and is idempotent', () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  told();
  announcer.close();
  announcer.close();
  assert.deepEqual(told(), ['nothing']);
});

for (const [policy, tellings] of [
  ['off', ['192.0.2.1@all', 'burst 192.0.2.1']],
  ['warn', ['192.0.2.1@all', 'burst 192.0.2.1', 'probe 192.0.2.1']],
  ['refuse', ['192.0.2.1@all(held)', 'probe 192.0.2.1', '192.0.2.1@all', 'burst 192.0.2.1']],
] as const) {
  test(`with policy ${policy}, of a new address that nobody else has the responder is told: ${tellings.join(', ')}`, async () => {
    const { clock, assign, told } = announcerWithRecord(policy);
    assign('default/web', '192.0.2.1');
    await clock.advance(60_000);
    assert.deepEqual(told(), [...tellings]);
    assert.equal(clock.pending(), 0);
  });

  test(`with policy ${policy}, an address that is not newly assigned is announced at once, and not asked for`, async () => {
    const { announcer, clock, told } = announcerWithRecord(policy);
    announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all', newlyAssigned: [] });
    await clock.advance(60_000);
    assert.deepEqual(told(), ['192.0.2.1@all', 'burst 192.0.2.1']);
  });
}

test('with policy warn, a claim changes nothing', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('warn');
  assign('default/web', '192.0.2.1');
  await clock.advance(100);
  told();
  announcer.claimed(address('192.0.2.1'), printer);
  assert.ok(!announcer.isHeld(address('192.0.2.1')));
  await clock.advance(60_000);
  assert.deepEqual(told(), []);
});

test('with policy refuse, a claimed address is not announced until nobody has it when asked again, 30 s later', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  assign('default/web', '192.0.2.1');
  await clock.advance(300);
  announcer.claimed(address('192.0.2.1'), printer);
  assert.ok(announcer.isHeld(address('192.0.2.1')));
  await clock.advance(29_000);
  assert.deepEqual(told(), ['192.0.2.1@all(held)', 'probe 192.0.2.1', 'refused 192.0.2.1']);
  await clock.advance(3_000);
  assert.deepEqual(told(), ['probe 192.0.2.1', '192.0.2.1@all', 'burst 192.0.2.1']);
  assert.ok(!announcer.isHeld(address('192.0.2.1')));
});

test('with policy refuse, only the new one of two addresses is held', async () => {
  const { announcer, clock, told } = announcerWithRecord('refuse');
  const [old, fresh] = [address('192.0.2.1'), address('2001:db8::1')];
  announcer.set('default/web', { addresses: [old], interfaces: 'all' });
  await clock.advance(10);
  told();
  announcer.set('default/web', { addresses: [old, fresh], interfaces: 'all', newlyAssigned: [fresh] });
  await clock.advance(10);
  assert.deepEqual(told(), ['192.0.2.1@all 2001:db8::1@all(held)', 'probe 2001:db8::1']);
  assert.deepEqual(announcer.unannounced('default/web'), [fresh]);
  await clock.advance(2_000);
  assert.deepEqual(told(), ['192.0.2.1@all 2001:db8::1@all', 'burst 2001:db8::1']);
  assert.deepEqual(announcer.unannounced('default/web'), []);
});

test('with policy refuse, what is released together is one swap', async () => {
  const { clock, assign, told } = announcerWithRecord('refuse');
  assign('default/web', '192.0.2.1', '192.0.2.2');
  assign('default/dns', '192.0.2.3');
  await clock.advance(2_000);
  assert.deepEqual(told(), [
    '192.0.2.1@all(held) 192.0.2.2@all(held) 192.0.2.3@all(held)',
    'probe 192.0.2.1 192.0.2.2 192.0.2.3',
    '192.0.2.1@all 192.0.2.2@all 192.0.2.3@all',
    'burst 192.0.2.1 192.0.2.2 192.0.2.3',
  ]);
});

for (const [what, claims] of [
  ['asked for', 0],
  ['refused', 1],
] as const) {
  test(`an address that is withdrawn while it is ${what} stays withdrawn`, async () => {
    const { announcer, clock, assign, told } = announcerWithRecord('refuse');
    assign('default/web', '192.0.2.1');
    await clock.advance(100);
    for (let i = 0; i < claims; i++) announcer.claimed(address('192.0.2.1'), printer);
    told();
    announcer.set('default/web', undefined);
    await clock.advance(60_000);
    assert.deepEqual(told(), ['nothing']);
    assert.equal(clock.pending(), 0);
  });
}

test('an address stays unproven when its Service changes before the responder has heard of it', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  assign('default/web', '192.0.2.1');
  assert.deepEqual(announcer.unannounced('default/web'), [address('192.0.2.1')]);
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: ['eth0'] });
  await clock.advance(100);
  assert.deepEqual(told(), ['192.0.2.1@eth0(held)', 'probe 192.0.2.1']);
});

test('a shared address is held for all, whichever of its Services is told to be the first', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  assign('default/tcp', '192.0.2.1');
  announcer.set('default/udp', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  await clock.advance(100);
  assert.deepEqual(told(), ['192.0.2.1@all(held)', 'probe 192.0.2.1']);
  announcer.set('default/tcp', undefined);
  await clock.advance(2_000);
  assert.deepEqual(told(), ['192.0.2.1@all(held)', '192.0.2.1@all', 'burst 192.0.2.1']);
});

test('an address that is announced already is not held for a Service that comes to share it', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  announcer.set('default/tcp', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  await clock.advance(100);
  told();
  assign('default/udp', '192.0.2.1');
  await clock.advance(60_000);
  assert.deepEqual(told(), ['192.0.2.1@all']);
});

test('repeat passes over what is held', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  announcer.set('default/dns', { addresses: [address('192.0.2.2')], interfaces: 'all' });
  assign('default/web', '192.0.2.1');
  await clock.advance(100);
  told();
  announcer.repeat();
  assert.deepEqual(told(), ['192.0.2.2@all 192.0.2.1@all(held)', 'burst 192.0.2.2']);
});

test('an address is defended by one announcement while it is announced, and else not', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  announcer.set('default/dns', { addresses: [address('192.0.2.2')], interfaces: 'all' });
  assign('default/web', '192.0.2.1');
  await clock.advance(100);
  told();
  for (const text of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) announcer.defend(address(text));
  assert.deepEqual(told(), ['burst 192.0.2.2 x1']);
});

test('the Services of an address are those that want it announced', () => {
  const { announcer, assign } = announcerWithRecord();
  assign('default/tcp', '192.0.2.1', '2001:db8::1');
  assign('default/udp', '192.0.2.1');
  assign('default/dns', '192.0.2.2');
  assert.deepEqual(announcer.servicesOf(address('192.0.2.1')), ['default/tcp', 'default/udp']);
  assert.deepEqual(announcer.servicesOf(address('2001:db8::1')), ['default/tcp']);
  announcer.set('default/udp', undefined);
  assert.deepEqual(announcer.servicesOf(address('192.0.2.1')), ['default/tcp']);
  assert.deepEqual(announcer.servicesOf(address('192.0.2.3')), []);
});

test('after close nothing more is asked or announced', async () => {
  const { announcer, clock, assign, told } = announcerWithRecord('refuse');
  assign('default/web', '192.0.2.1');
  await clock.advance(100);
  announcer.close();
  told();
  announcer.claimed(address('192.0.2.1'), printer);
  announcer.defend(address('192.0.2.1'));
  announcer.repeat();
  await clock.advance(60_000);
  assert.deepEqual(told(), []);
});

/** What the listener is told, in words: `+192.0.2.1 -192.0.2.2 of default/web`. */
function announcerWithChanges(probe: ProbePolicy = 'off') {
  const changes: string[] = [];
  const clock = new FakeClock();
  const announcer = new Announcer({
    responder: { setAnnouncements() {}, announce() {}, probe() {} },
    probe,
    rate: 400,
    clock,
    onRefused() {},
    onChange({ announced, withdrawn, services }) {
      const texts = [
        ...announced.map((one) => `+${formatAddress(one)}`),
        ...withdrawn.map((one) => `-${formatAddress(one)}`),
      ];
      changes.push(`${texts.join(' ')} of ${[...services].sort()}`);
    },
  });
  const want = async (service: string, text: string | undefined, interfaces: readonly string[] | 'all' = 'all') => {
    announcer.set(service, text === undefined ? undefined : { addresses: text.split(' ').map(address), interfaces });
    await clock.advance(1);
  };
  return { announcer, clock, want, changes: () => changes.splice(0) };
}

test('the listener is told what is announced and withdrawn, and which Services it concerns', async () => {
  const { announcer, want, changes } = announcerWithChanges();
  await want('default/web', '192.0.2.1 192.0.2.2');
  await want('default/dns', '192.0.2.2');
  await want('default/web', '192.0.2.1', ['eth0']);
  await want('default/web', undefined);
  announcer.flush();
  assert.deepEqual(changes(), [
    '+192.0.2.1 +192.0.2.2 of default/web',
    ' of default/dns',
    ' of default/web',
    '-192.0.2.1 of default/web',
  ]);
  assert.deepEqual(announcer.announcementOf('default/dns'), { addresses: [address('192.0.2.2')], interfaces: 'all' });
  assert.equal(announcer.announcementOf('default/web'), undefined);
});

test('an address that is suspended is watched and not announced, until it is resumed or wanted anew', async () => {
  const { announcer, told } = announcerWithRecord();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  told();
  announcer.suspend(address('192.0.2.1'));
  announcer.suspend(address('192.0.2.9'));
  announcer.repeat();
  assert.deepEqual(told(), ['192.0.2.1@all(held)', '192.0.2.1@all(held)']);
  announcer.resume(address('192.0.2.1'));
  announcer.resume(address('192.0.2.1'));
  assert.deepEqual(told(), ['192.0.2.1@all', 'burst 192.0.2.1']);
  announcer.suspend(address('192.0.2.1'));
  announcer.set('default/web', undefined);
  announcer.flush();
  assert.ok(!announcer.isSuspended(address('192.0.2.1')));
  told();
  announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
  announcer.flush();
  assert.deepEqual(told(), ['192.0.2.1@all', 'burst 192.0.2.1']);
});

for (const policy of ['off', 'warn', 'refuse'] as const) {
  test(`with policy ${policy}, an address that is given away is asked for every 30 s, and announced when nobody has it`, async () => {
    const { announcer, clock, told } = announcerWithRecord(policy);
    announcer.set('default/web', { addresses: [address('192.0.2.1')], interfaces: 'all' });
    await clock.advance(1);
    told();
    announcer.giveWay(address('192.0.2.1'), printer);
    announcer.giveWay(address('192.0.2.1'), printer);
    assert.deepEqual(told(), ['refused 192.0.2.1', '192.0.2.1@all(held)']);
    await clock.advance(30_100);
    announcer.claimed(address('192.0.2.1'), printer);
    assert.deepEqual(told(), ['probe 192.0.2.1', 'refused 192.0.2.1']);
    await clock.advance(32_000);
    assert.deepEqual(told(), ['probe 192.0.2.1', '192.0.2.1@all', 'burst 192.0.2.1']);
  });
}
