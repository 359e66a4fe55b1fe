import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { Announcer } from '../../src/layer2/announcer.ts';
import { type Announcement, maxInterfacePatterns } from '../../src/layer2/responder.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/announcer');
const address = (text: string) => parseAddress(text)!;

/** Records what the responder was told, in words: `192.0.2.1@all`, `burst 192.0.2.1`. */
function announcerWithRecord() {
  const told: string[] = [];
  const announcer = new Announcer({
    clock: systemClock,
    responder: {
      setAnnouncements: (table) =>
        void told.push(
          table.map((entry) => `${formatAddress(entry.address)}@${entry.interfaces}`).join(' ') || 'nothing',
        ),
      announce: (addresses) => void told.push(`burst ${addresses.map(formatAddress).join(' ')}`),
    },
  });
  return { announcer, told: () => told.splice(0) };
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
  const { announcer, told } = announcerWithRecord();
  for (let i = 1; i <= 3; i++) {
    announcer.set(`default/s${i}`, { addresses: [address(`192.0.2.${i}`)], interfaces: 'all' });
  }
  assert.deepEqual(told(), []);
  await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
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
    clock: systemClock,
    responder: { setAnnouncements: (table) => void tables.push(table), announce: () => {} },
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
