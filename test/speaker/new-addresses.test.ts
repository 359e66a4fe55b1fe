import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { NewAddresses } from '../../src/speaker/new-addresses.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/new-addresses');

/** Addresses that have settled with these Services, and who asks in texts. */
function settledWith(services: Readonly<Record<string, readonly string[]>> = {}) {
  const addresses = new NewAddresses();
  for (const [service, texts] of Object.entries(services)) addresses.see(service, texts);
  addresses.settle();
  return { addresses, elected: (service: string) => addresses.elected(service).map(formatAddress) };
}

test('an address that appears later is new until a node is elected', () => {
  const { addresses, elected } = settledWith();
  addresses.see('web', ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(elected('web'), ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(elected('web'), []);
});

test('an address that was there at the start is not new, whichever Service has it later', () => {
  const { addresses, elected } = settledWith({ web: ['192.0.2.1'] });
  assert.deepEqual(elected('web'), []);
  addresses.see('dns', ['192.0.2.1']);
  addresses.see('web', []);
  assert.deepEqual(elected('dns'), []);
});

test('of a Service that gets a second address only that one is new', () => {
  const { addresses, elected } = settledWith({ web: ['192.0.2.1'] });
  addresses.see('web', ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(elected('web'), ['2001:db8::1']);
});

test('seeing the same again makes nothing new', () => {
  const { addresses, elected } = settledWith();
  addresses.see('web', ['192.0.2.1']);
  elected('web');
  addresses.see('web', ['192.0.2.1']);
  addresses.see('web', ['192.0.2.1', '192.0.2.1']);
  assert.deepEqual(elected('web'), []);
});

test('a shared address is new for the Service that is elected first', () => {
  const { addresses, elected } = settledWith();
  addresses.see('tcp', ['192.0.2.1']);
  addresses.see('udp', ['192.0.2.1']);
  assert.deepEqual(elected('udp'), ['192.0.2.1']);
  assert.deepEqual(elected('tcp'), []);
});

test('an address that no Service has any more is new when it comes back', () => {
  const { addresses, elected } = settledWith({ tcp: ['192.0.2.1'], udp: ['192.0.2.1'] });
  addresses.see('tcp', []);
  addresses.see('tcp', ['192.0.2.1']);
  assert.deepEqual(elected('tcp'), []);
  addresses.see('tcp', []);
  addresses.see('udp', []);
  addresses.see('tcp', ['192.0.2.1']);
  assert.deepEqual(elected('tcp'), ['192.0.2.1']);
});

test('what was not announced after all is new again, as long as a Service has it', () => {
  const { addresses, elected } = settledWith();
  const one = parseAddress('192.0.2.1')!;
  addresses.see('web', ['192.0.2.1']);
  elected('web');
  addresses.putBack([one]);
  assert.deepEqual(elected('web'), ['192.0.2.1']);
  addresses.see('web', []);
  addresses.putBack([one]);
  assert.deepEqual(elected('web'), []);
});

test('an address for which no node is elected stays new, whatever becomes of the others of its Service', () => {
  const { addresses, elected } = settledWith();
  addresses.see('web', ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(addresses.elected('web', ({ family }) => family === 4).map(formatAddress), ['192.0.2.1']);
  assert.deepEqual(elected('web'), ['2001:db8::1']);
});

test('what is no address is passed over, and an address is the same however it is written', () => {
  const { addresses, elected } = settledWith({ web: ['2001:DB8:0::1', 'lb.example'] });
  addresses.see('web', ['2001:db8::1']);
  addresses.see('dns', ['', '192.0.2.300']);
  assert.deepEqual([...elected('web'), ...elected('dns'), ...elected('nobody')], []);
});
