import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeMessage, encodeMessage } from '../../src/bgp/codec.ts';
import type { Capability, Notification, Open, RouteRefresh } from '../../src/bgp/message.ts';
import { isMessageError } from '../../src/bgp/message-error.ts';
import type { Family } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, capabilities, hexOf, message, open } from './wire-bytes.ts';

const test = suite('bgp/codec');
const context = { fourOctetAsn: true };
const decode = (hex: string) => decodeMessage(bytesOf(hex), context);

const plain: Open = { type: 'open', asn: 64_500, holdTime: 90, routerId: 0xc0000201, capabilities: [] };
const asked: Open = {
  ...plain,
  asn: 4_200_000_000,
  capabilities: [
    { kind: 'multiprotocol', family: 4 },
    { kind: 'multiprotocol', family: 6 },
    { kind: 'route-refresh' },
    { kind: 'extended-next-hop', tuples: [{ family: 4, nextHop: 6 }] },
    { kind: 'extended-message' },
    {
      kind: 'graceful-restart',
      restarted: true,
      notification: true,
      restartTime: 30,
      families: [
        { family: 4, forwardingPreserved: true },
        { family: 6, forwardingPreserved: false },
      ],
    },
    { kind: 'four-octet-asn', asn: 4_200_000_000 },
    { kind: 'enhanced-route-refresh' },
    { kind: 'unknown', code: 73, value: bytesOf('0161 00') },
  ],
};

/** By the formats of the RFCs, by hand. */
const written: readonly [
  name: string,
  value: Open | Notification | RouteRefresh | { type: 'keepalive' },
  hex: string,
][] = [
  ['an OPEN without parameters', plain, `${'ff'.repeat(16)} 001d 01 04 fbf4 005a c0000201 00`],
  [
    'an OPEN with everything',
    asked,
    message(
      1,
      `04 5ba0 005a c0000201 33 02 31
       01 04 0001 00 01   01 04 0002 00 01   02 00   05 06 0001 0001 0002   06 00
       40 0a c01e 0001 01 80 0002 01 00   41 04 fa56ea00   46 00   49 03 016100`,
    ),
  ],
  ['a KEEPALIVE', { type: 'keepalive' }, `${'ff'.repeat(16)} 0013 04`],
  [
    'a NOTIFICATION',
    { type: 'notification', code: 6, subcode: 2, data: bytesOf('026f6b') },
    `${'ff'.repeat(16)} 0018 03 06 02 02 6f6b`,
  ],
  ['a NOTIFICATION without data', { type: 'notification', code: 4, subcode: 0, data: bytesOf('') }, message(3, '0400')],
  [
    'a ROUTE-REFRESH',
    { type: 'route-refresh', family: 6, subtype: 'request' },
    `${'ff'.repeat(16)} 0017 05 0002 00 01`,
  ],
  ['the beginning of a refresh', { type: 'route-refresh', family: 4, subtype: 'begin' }, message(5, '0001 01 01')],
  ['the end of a refresh', { type: 'route-refresh', family: 4, subtype: 'end' }, message(5, '0001 02 01')],
];
for (const [name, value, hex] of written) {
  test(`writes ${name}`, () => assert.equal(hexOf(encodeMessage(value)), hexOf(bytesOf(hex))));
  test(`reads ${name}`, () => assert.deepEqual(decode(hex), value));
}

const fourOctets: Capability = { kind: 'four-octet-asn', asn: 64_500 };
const refresh: Capability = { kind: 'route-refresh' };
const restart = (restartTime: number): Capability => ({
  kind: 'graceful-restart',
  restarted: false,
  notification: false,
  restartTime,
  families: [],
});
const readAs: readonly [name: string, parameters: string, capabilities: readonly Capability[]][] = [
  ['several capabilities in one parameter', capabilities('0200 4104 0000fbf4'), [refresh, fourOctets]],
  ['several parameters', `${capabilities('0200')}${capabilities('4104 0000fbf4')}`, [refresh, fourOctets]],
  ['a parameter without capabilities', capabilities(''), []],
  [
    'sub-families that we do not speak',
    capabilities('0104 0001 00 80'),
    [{ kind: 'unknown', code: 1, value: bytesOf('00010080') }],
  ],
  ['capabilities that nobody knows', capabilities('ee01 07'), [{ kind: 'unknown', code: 238, value: bytesOf('07') }]],
  [
    'next hops of families that we do not speak',
    capabilities('0506 0001 0080 0002'),
    [{ kind: 'extended-next-hop', tuples: [] }],
  ],
  ['restarts of families that we do not speak', capabilities('4006 0078 0019 46 80'), [restart(120)]],
  ['the last of several graceful restarts', capabilities('4002 0001 0200 4002 0fff'), [refresh, restart(4095)]],
];
for (const [name, parameters, expected] of readAs) {
  test(`reads ${name}`, () => assert.deepEqual(decode(open({ parameters })), { ...plain, capabilities: expected }));
}

test('reads the parameters of RFC 9072, which have lengths of two bytes', () => {
  for (const told of ['ff', '01']) {
    const hex = message(1, `04 fbf4 005a c0000201 ${told} ff 000e 02 0003 020000 02 0005 0200 0600 4600`);
    const cutOff = decode(hex);
    assert.ok(isMessageError(cutOff) && cutOff.subcode === 0, 'its capabilities are cut off');
    const whole = message(1, `04 fbf4 005a c0000201 ${told} ff 000c 02 0002 0200 02 0004 0600 4600`);
    const expected: readonly Capability[] = [refresh, { kind: 'extended-message' }, { kind: 'enhanced-route-refresh' }];
    assert.deepEqual(decode(whole), { ...plain, capabilities: expected });
  }
});

test('writes more capabilities than 255 bytes hold as RFC 9072 says', () => {
  const value = new Uint8Array(200).fill(1);
  const many: Open = { ...plain, capabilities: [201, 202].map((code) => ({ kind: 'unknown', code, value })) };
  const bytes = encodeMessage(many);
  assert.equal(hexOf(bytes.subarray(28, 35)), 'ffff0197020194');
  assert.deepEqual(decodeMessage(bytes, context), many);
});

test('takes the AS of the capability, not the one that stands for it', () => {
  const parameters = capabilities('4104 00010000');
  assert.equal((decode(open({ asn: 23_456, parameters })) as Open).asn, 65_536);
});

const refused: readonly [name: string, hex: string, code: number, subcode: number, data: string][] = [
  ['a version of BGP that is not 4', open({ version: 3 }), 2, 1, '0004'],
  ['AS 0', open({ asn: 0 }), 2, 2, ''],
  ['AS 0 in the capability', open({ parameters: capabilities('4104 00000000') }), 2, 2, ''],
  ['AS 0 beside a capability', open({ asn: 0, parameters: capabilities('4104 0000fbf4') }), 2, 2, ''],
  ['the BGP identifier 0', open({ id: '00000000' }), 2, 3, ''],
  ['a hold time of 1 second', open({ holdTime: 1 }), 2, 6, ''],
  ['a hold time of 2 seconds', open({ holdTime: 2 }), 2, 6, ''],
  ['a parameter of the old authentication', open({ parameters: '0101 00' }), 2, 4, ''],
  ['a parameter that nobody knows', open({ parameters: '0901 00' }), 2, 4, ''],
  ['parameters shorter than told', message(1, '04 fbf4 005a c0000201 05 02020200'), 2, 0, ''],
  ['parameters longer than told', message(1, '04 fbf4 005a c0000201 03 02020200'), 2, 0, ''],
  ['a parameter that runs over the message', open({ parameters: '0205 0200' }), 2, 0, ''],
  ['half the head of a parameter', open({ parameters: `${capabilities('')}02` }), 2, 0, ''],
  ['a capability that runs over its parameter', open({ parameters: capabilities('0201') }), 2, 0, ''],
  ['half the head of a capability', open({ parameters: capabilities('0200 02') }), 2, 0, ''],
  ['an AS of two bytes in the capability of four', open({ parameters: capabilities('4102 fbf4') }), 2, 0, ''],
  ['a multiprotocol capability of 3 bytes', open({ parameters: capabilities('0103 000100') }), 2, 0, ''],
  ['half a tuple of next hops', open({ parameters: capabilities('0503 000100') }), 2, 0, ''],
  ['a graceful restart without its time', open({ parameters: capabilities('4001 00') }), 2, 0, ''],
  ['half a family of graceful restart', open({ parameters: capabilities('4004 0078 0001') }), 2, 0, ''],
  ['extended parameters without a length', message(1, '04 fbf4 005a c0000201 ff ff 00'), 2, 0, ''],
  ['extended parameters that are not there', message(1, '04 fbf4 005a c0000201 ff ff 0010'), 2, 0, ''],
  ['half the head of an extended parameter', message(1, '04 fbf4 005a c0000201 ff ff 0002 0200'), 2, 0, ''],
  ['a marker that is not all ones', `fe${message(4).slice(2)}`, 1, 1, ''],
  ['a type that nobody knows', message(6), 1, 3, '06'],
  ['type 0', message(0), 1, 3, '00'],
  ['a KEEPALIVE with a body', message(4, '00'), 1, 2, '0014'],
  ['an OPEN that is too short', message(1, '04 fbf4 005a c0000201'), 1, 2, '001c'],
  ['an UPDATE that is too short', message(2, '000000'), 1, 2, '0016'],
  ['a NOTIFICATION that is too short', message(3, '06'), 1, 2, '0014'],
  ['a ROUTE-REFRESH that is too short', message(5, '000100'), 1, 2, '0016'],
  ['a length that is not the message’s', `${message(4)}00`, 1, 2, '0013'],
  ['a header cut off', 'ff'.repeat(18), 1, 2, '0012'],
  ['nothing', '', 1, 2, '0000'],
  ['the beginning of a refresh with a filter', message(5, '0001 01 01 00'), 7, 1, message(5, '0001 01 01 00')],
  ['the end of a refresh with a filter', message(5, '0001 02 01 00'), 7, 1, message(5, '0001 02 01 00')],
];
for (const [name, hex, code, subcode, data] of refused) {
  test(`refuses ${name} with ${code}/${subcode}`, () => {
    const error = decode(hex);
    assert.ok(isMessageError(error), 'is an error');
    assert.deepEqual([error.code, error.subcode, hexOf(error.data)], [code, subcode, data]);
    assert.ok(error.text.length > 10, error.text);
  });
}

const unknown = { type: 'route-refresh', family: undefined, subtype: 'unknown' } as const;
const ignored: readonly [name: string, body: string][] = [
  ['a family that we do not speak', '0019 00 46'],
  ['a kind that nobody knows', '0001 03 01'],
];
for (const [name, body] of ignored) {
  test(`knows a ROUTE-REFRESH of ${name} as one to be ignored`, () =>
    assert.deepEqual(decode(message(5, body)), unknown));
}

test('leaves out the filters of a ROUTE-REFRESH', () => {
  const expected = { type: 'route-refresh', family: 4, subtype: 'request' };
  assert.deepEqual(decode(message(5, '0001 00 01 01 80 0001 00')), expected);
});

test('keeps no message alive by what it has read of it', () => {
  const bytes = bytesOf(message(3, '0602 026f6b'));
  const notification = decodeMessage(bytes, context) as Notification;
  bytes.fill(0);
  assert.equal(hexOf(notification.data), '026f6b');
});

test('refuses to write what does not fit a message', () => {
  const data = new Uint8Array(4076);
  assert.throws(() => encodeMessage({ type: 'notification', code: 6, subcode: 2, data }), /4096 is the most/);
});

/** As literals make them: `deepEqual` tells objects without a prototype apart. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true });
const uint32 = fc.integer({ min: 1, max: 0xffffffff });
const family = fc.constantFrom<Family>(4, 6);
const capability: fc.Arbitrary<Capability> = fc.oneof(
  record({ kind: fc.constant('multiprotocol' as const), family }),
  record({
    kind: fc.constantFrom('route-refresh' as const, 'enhanced-route-refresh' as const, 'extended-message' as const),
  }),
  record({
    kind: fc.constant('extended-next-hop' as const),
    tuples: fc.array(record({ family, nextHop: family }), { maxLength: 42 }),
  }),
  record({
    kind: fc.constant('unknown' as const),
    code: fc.integer({ min: 71, max: 255 }),
    value: fc.uint8Array({ maxLength: 255 }),
  }),
);
const gracefulRestart: fc.Arbitrary<Capability> = record({
  kind: fc.constant('graceful-restart' as const),
  restarted: fc.boolean(),
  notification: fc.boolean(),
  restartTime: fc.integer({ min: 0, max: 4095 }),
  families: fc.array(record({ family, forwardingPreserved: fc.boolean() }), { maxLength: 60 }),
});
const opens: fc.Arbitrary<Open> = fc
  .record({
    asn: uint32,
    holdTime: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65_535 })),
    routerId: uint32,
    others: fc.array(capability, { maxLength: 10 }),
    restart: fc.option(gracefulRestart),
  })
  .map(({ asn, holdTime, routerId, others, restart }) => ({
    type: 'open',
    asn,
    holdTime,
    routerId,
    capabilities: [{ kind: 'four-octet-asn', asn }, ...others, ...(restart ? [restart] : [])],
  }));

test('reads every OPEN as it was written', () => {
  fc.assert(fc.property(opens, (value) => assert.deepEqual(decodeMessage(encodeMessage(value), context), value)));
});

test('reads every NOTIFICATION as it was written', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(byte, byte, fc.uint8Array({ maxLength: 4075 }), (code, subcode, data) => {
      const value: Notification = { type: 'notification', code, subcode, data };
      assert.deepEqual(decodeMessage(encodeMessage(value), context), value);
    }),
  );
});
