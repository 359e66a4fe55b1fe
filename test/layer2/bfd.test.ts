import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { parseAddress } from '../../src/ip/address.ts';
import { type BfdSession, maxBfdSessions, packBfdSessions } from '../../src/layer2/bfd.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/bfd');

const address = (text: string) => parseAddress(text)!;
const key = new Uint8Array([0x5e, 0xc8, 0xe7]);
const session: BfdSession = {
  id: 'a',
  peer: address('192.0.2.1'),
  port: 7950,
  multihop: true,
  desiredMinTx: 100,
  requiredMinRx: 0.05 * 1000 + 0.125,
  detectMultiplier: 3,
};
const authentication = { type: 'sha1', keyId: 7, key } as const;

test('a session is packed as native/bfd_packed.h says', () => {
  const packed = packBfdSessions([
    {
      ...session,
      local: address('192.0.2.2'),
      interface: 'eth0',
      listenPort: 7951,
      minimumTtl: 254,
      tiedToLease: true,
      demand: true,
      authentication: { ...authentication, accept: [{ keyId: 8, key }] },
    },
    { ...session, id: 'bé', peer: address('2001:db8::1'), multihop: false, passive: true },
    { ...session, id: 'c', peer: address('192.0.2.3'), multihop: false, echo: { interval: 50.013 } },
  ]);
  const zeros = (bytes: number) => '00'.repeat(bytes);
  assert.equal(
    Buffer.from(packed).toString('hex'),
    `040efe031f0e1f0f000186a00000c3cd00000000c0000201${zeros(12)}c0000202${zeros(12)}04020401${'65746830'}${'61'}` +
      `07035ec8e708035ec8e7` +
      `0601ff031f0e1f0e000186a00000c3cd0000000020010db8${zeros(11)}01${zeros(16)}00000003${'62c3a9'}` +
      `0400ff031f0e1f0e000186a00000c3cd0000c35dc0000203${zeros(12)}${zeros(16)}00000001${'63'}`,
  );
});

const wrong: readonly (readonly [change: object, told: RegExp])[] = [
  [{ id: 1 }, /^TypeError: sessions\[0\]\.id: not a string: 1$/],
  [{ id: '' }, /^RangeError: sessions\[0\]\.id: '' has 0 bytes, not 1 to 255$/],
  [{ id: 'x'.repeat(256) }, /has 256 bytes, not 1 to 255$/],
  [{ peer: '192.0.2.1' }, /^TypeError: sessions\[0\]\.peer: not an address: '192\.0\.2\.1'$/],
  [{ peer: { family: 4, value: 1n << 32n } }, /^RangeError: sessions\[0\]\.peer: not an IPv4 address/],
  [{ peer: address('224.0.0.1') }, /peer: 224\.0\.0\.1 is not a host's address$/],
  [{ peer: address('::') }, /peer: :: is not a host's address$/],
  [{ peer: address('fe80::1') }, /peer: fe80::1 is link-local: name the interface$/],
  [{ local: address('2001:db8::1') }, /local: 2001:db8::1 is not of the family of 192\.0\.2\.1$/],
  [{ interface: 'eth*' }, /interface: 'eth\*' cannot be an interface's name$/],
  [{ interface: 'x'.repeat(16) }, /cannot be an interface's name$/],
  [{ port: 0 }, /port: 0 is not a whole number from 1 to 65535$/],
  [{ listenPort: 65_536 }, /listenPort: 65536 is not a whole number/],
  [{ multihop: 1 }, /^TypeError: sessions\[0\]\.multihop: not a boolean: 1$/],
  [{ minimumTtl: 0 }, /minimumTtl: 0 is not a whole number from 1 to 255$/],
  [{ multihop: false, minimumTtl: 254 }, /minimumTtl: 254 is not 255$/],
  [{ desiredMinTx: 0.5 }, /desiredMinTx: 0\.5 ms is not from 1 to 60000$/],
  [{ requiredMinRx: Number.NaN }, /requiredMinRx: NaN ms is not from 1 to 60000$/],
  [{ requiredMinRx: '100' }, /^TypeError: sessions\[0\]\.requiredMinRx: not a number: '100'$/],
  [{ detectMultiplier: 256 }, /detectMultiplier: 256 is not a whole number from 1 to 255$/],
  [{ port: 3785 }, /port: 3785 is the port of echo packets$/],
  [{ listenPort: 3785 }, /listenPort: 3785 is the port of echo packets$/],
  [{ multihop: false, echo: 50 }, /^TypeError: sessions\[0\]\.echo: not an object: 50$/],
  [{ multihop: false, echo: { interval: 0 } }, /echo\.interval: 0 ms is not from 1 to 60000$/],
  [{ multihop: false, echo: {} }, /^TypeError: sessions\[0\]\.echo\.interval: not a number: undefined$/],
  [{ echo: { interval: 50 } }, /echo: there is none over several hops$/],
  [
    { multihop: false, peer: address('2001:db8::1'), echo: { interval: 50 } },
    /echo: there is none over IPv6: 2001:db8::1$/,
  ],
  [{ passive: 'yes' }, /passive: not a boolean: 'yes'$/],
  [{ authentication: { ...authentication, type: 'sha2' } }, /authentication\.type: 'sha2' is none of password, md5,/],
  [{ authentication: { ...authentication, keyId: 256 } }, /authentication\.keyId: 256 is not a whole number/],
  [{ authentication: { ...authentication, key: 'secret' } }, /authentication\.key: not a Uint8Array$/],
  [{ authentication: { ...authentication, key: new Uint8Array(21) } }, /key: 21 bytes, not 1 to 20 as for sha1$/],
  [
    { authentication: { ...authentication, type: 'md5', key: new Uint8Array(17) } },
    /key: 17 bytes, not 1 to 16 as for md5$/,
  ],
  [{ authentication: { ...authentication, accept: [{ keyId: 7, key }] } }, /accept: key id 7 comes twice$/],
  [
    { authentication: { ...authentication, accept: [{ keyId: 1, key: new Uint8Array(0) }] } },
    /accept\[0\]\.key: 0 bytes, not 1 to 20/,
  ],
  [
    { authentication: { ...authentication, accept: Array.from({ length: 8 }, (_, keyId) => ({ keyId, key })) } },
    /accept: 8 keys, over 7$/,
  ],
];

test('a bad value is refused, with its field and without a key', () => {
  for (const [change, told] of wrong) {
    assert.throws(
      () => packBfdSessions([{ ...session, ...change } as BfdSession]),
      (error) => told.test(String(error)) && !/secret|5e/i.test(String(error)),
      inspect(change),
    );
  }
});

test('what is no list, is too long, or has a session twice is refused', () => {
  const other = { ...session, id: 'b', peer: address('192.0.2.2') };
  const rows: readonly (readonly [sessions: unknown, told: RegExp])[] = [
    [undefined, /^TypeError: sessions: not an array: undefined$/],
    [[null], /^TypeError: sessions\[0\]: not an object: null$/],
    [[session, other, session], /^RangeError: sessions\[2\]\.id: 'a' comes twice$/],
    [[session, { ...session, id: 'b' }], /peer: 192\.0\.2\.1 on any interface, port 7950: 'a' is with the same peer$/],
    [Array.from({ length: maxBfdSessions + 1 }), /^RangeError: sessions: 1025, over 1024$/],
  ];
  for (const [sessions, told] of rows) {
    assert.throws(
      () => packBfdSessions(sessions as BfdSession[]),
      (error) => told.test(String(error)),
      String(told),
    );
  }
  assert.equal(packBfdSessions([]).length, 0);
  const many = Array.from({ length: maxBfdSessions }, (_, index) => ({
    ...session,
    id: `${index}`,
    listenPort: index + 1,
  }));
  assert.ok(packBfdSessions(many).length > maxBfdSessions * 52);
});
