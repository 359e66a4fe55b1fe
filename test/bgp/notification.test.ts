import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  describeNotification,
  hardResetData,
  notifications,
  shutdownCommunication,
} from '../../src/bgp/notification.ts';
import { suite } from '../support/suite.ts';
import { bytesOf } from './wire-bytes.ts';

const test = suite('bgp/notification');
const { administrativeShutdown, hardReset } = notifications;
const said = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.of(bytes.length, ...bytes);
};

const texts: readonly [code: number, subcode: number, data: Uint8Array, text: string][] = [
  [1, 2, bytesOf('0012'), 'Message Header Error / Bad Message Length: a length of 18'],
  [1, 3, bytesOf('06'), 'Message Header Error / Bad Message Type: type 6'],
  [2, 0, bytesOf(''), 'OPEN Message Error'],
  [2, 1, bytesOf('0003'), 'OPEN Message Error / Unsupported Version Number: it speaks version 3'],
  [2, 2, bytesOf(''), 'OPEN Message Error / Bad Peer AS'],
  [2, 2, bytesOf('fbf5'), 'OPEN Message Error / Bad Peer AS: fbf5'],
  [2, 7, bytesOf('41040000fbf44600'), 'OPEN Message Error / Unsupported Capability: capabilities 65, 70'],
  [2, 7, bytesOf('0200'), 'OPEN Message Error / Unsupported Capability: capability 2'],
  [2, 7, bytesOf('4104'), 'OPEN Message Error / Unsupported Capability: 4104'],
  [2, 8, bytesOf(''), 'OPEN Message Error / subcode 8'],
  [2, 11, bytesOf(''), 'OPEN Message Error / Role Mismatch'],
  [3, 5, bytesOf('40010200 00'), 'UPDATE Message Error / Attribute Length Error: 4001020000'],
  [4, 0, bytesOf(''), 'Hold Timer Expired'],
  [5, 2, bytesOf('02'), 'Finite State Machine Error / Receive Unexpected Message in OpenConfirm State: UPDATE'],
  [6, 1, bytesOf('0001 01 00000064'), 'Cease / Maximum Number of Prefixes Reached: at most 100 of IPv4'],
  [6, 1, bytesOf('0019 46 00000064'), 'Cease / Maximum Number of Prefixes Reached: at most 100 of family 25/70'],
  [6, 2, bytesOf(''), 'Cease / Administrative Shutdown'],
  [6, 2, bytesOf('00'), 'Cease / Administrative Shutdown'],
  [6, 2, said('node draining'), 'Cease / Administrative Shutdown: node draining'],
  [6, 4, said('Größe 2'), 'Cease / Administrative Reset: Größe 2'],
  [6, 2, said('a\r\n\u001b[31mb\u202ec\u2028'), 'Cease / Administrative Shutdown: a [31mb c'],
  [6, 2, bytesOf('05 6162'), 'Cease / Administrative Shutdown: 056162'],
  [6, 2, bytesOf('02 fffe'), 'Cease / Administrative Shutdown: 02fffe'],
  [6, 7, bytesOf(''), 'Cease / Connection Collision Resolution'],
  [6, 9, bytesOf(''), 'Cease / Hard Reset'],
  [6, 9, bytesOf('04 00'), 'Cease / Hard Reset: Hold Timer Expired'],
  [6, 9, bytesOf('06 02 02 6f6b'), 'Cease / Hard Reset: Cease / Administrative Shutdown: ok'],
  [6, 9, bytesOf('06 09 06 09 06 02'), 'Cease / Hard Reset: Cease / Hard Reset: 06090602'],
  [6, 10, bytesOf(''), 'Cease / BFD Down'],
  [6, 99, bytesOf('aa'), 'Cease / subcode 99: aa'],
  [7, 1, bytesOf(''), 'ROUTE-REFRESH Message Error / Invalid Message Length'],
  [8, 0, bytesOf(''), 'Send Hold Timer Expired'],
  [9, 3, bytesOf('0102'), 'error code 9 / subcode 3: 0102'],
  [0, 0, bytesOf(''), 'error code 0'],
  [3, 1, new Uint8Array(4075), `UPDATE Message Error / Malformed Attribute List: ${'00'.repeat(32)}… (4075 bytes)`],
];
for (const [code, subcode, data, text] of texts) {
  test(`says "${text}"`, () => assert.equal(describeNotification(code, subcode, data), text));
}

test('says something short and printable of whatever a peer sends', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 }), byte, fc.uint8Array({ maxLength: 400 }), (code, subcode, data) => {
      const text = describeNotification(code, subcode, data);
      assert.ok(text.length > 0 && text.length < 450);
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}]/u);
    }),
  );
});

test('tells a reason that a peer reads as it was written', () => {
  const { code, subcode } = administrativeShutdown;
  assert.equal(
    describeNotification(code, subcode, shutdownCommunication('node draining')).split(': ')[1],
    'node draining',
  );
});

test('cuts a reason at 255 bytes, between characters', () => {
  const data = shutdownCommunication('ü'.repeat(200));
  assert.deepEqual([data.length, data[0]], [255, 254]);
  assert.match(describeNotification(6, 2, data), /: ü{127}$/);
});

test('tells what a hard reset is about', () => {
  const data = hardResetData({ ...administrativeShutdown, data: shutdownCommunication('node draining') });
  const text = describeNotification(hardReset.code, hardReset.subcode, data);
  assert.equal(text, 'Cease / Hard Reset: Cease / Administrative Shutdown: node draining');
});
