import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { compile, type Resources } from '../../src/config/compile.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/reservations');

const metadata = (name: string) => ({ name, namespace: 'metallb-system' });
const keep = (name: string, service: string, spec: object = {}) => ({
  metadata: metadata(name),
  spec: { service: { namespace: 'shop', name: service }, ...spec },
});

const make = (resources: Partial<Resources>) => compile({ pools: [], l2Advertisements: [], ...resources });

test('reservations come by name, their addresses as they are written', () => {
  const made = make({ reservations: [keep('b', 'mail'), keep('a', 'web', { addresses: ['192.0.2.9', '192.0.2.5'] })] });
  assert.ok('config' in made);
  assert.deepEqual(
    made.config.reservations.map(({ name, service, addresses }) => [name, service, addresses.map(formatAddress)]),
    [
      ['a', 'shop/web', ['192.0.2.9', '192.0.2.5']],
      ['b', 'shop/mail', []],
    ],
  );
});

for (const [name, reservations, lines] of [
  [
    'two of one Service',
    [keep('b', 'web'), keep('a', 'web')],
    [
      'AddressReservation metallb-system/b: spec.service: has a reservation already, AddressReservation metallb-system/a: put all its addresses into one (found "shop/web")',
    ],
  ],
  [
    'two of one address',
    [keep('b', 'mail', { addresses: ['2001:DB8::5'] }), keep('a', 'web', { addresses: ['192.0.2.5', '2001:db8::5'] })],
    [
      'AddressReservation metallb-system/b: spec.addresses[0]: is reserved by AddressReservation metallb-system/a already: remove it from one of the two (found "2001:db8::5")',
    ],
  ],
] as const) {
  test(`${name} are refused on the later`, () => {
    const made = make({ reservations });
    assert.deepEqual('errors' in made ? made.errors.map(formatProblem) : [], lines);
  });
}
