import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NodeInterface } from '../../src/election/interface-fitness.ts';
import { type Address, compareAddresses, formatAddress, parseAddress } from '../../src/ip/address.ts';
import { parsePrefix } from '../../src/ip/prefix.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import {
  type Claim,
  decodeNodeReport,
  encodeNodeReport,
  maxReportBytes,
  type NodeReport,
} from '../../src/speaker/node-report.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/node-report');

const address = (text: string) => parseAddress(text)!;
const prefix = (text: string) => {
  const parsed = parsePrefix(text);
  if (typeof parsed === 'string') throw new Error(`${text}: ${parsed}`);
  return parsed;
};
const noon = Date.UTC(2026, 0, 2, 12);

const nothing: NodeReport = {
  node: 'node-a',
  saidAt: noon,
  startedAt: 1,
  interfaces: [],
  draining: false,
  restartingUntil: undefined,
  claims: [],
};

const bytesOf = (report: NodeReport) => encodeNodeReport(report).bytes;
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));

// The wire form: what is written here must be understood by every later version.
const head = '066e6f64652d61'; // node-a
const eth0: NodeInterface = {
  name: 'eth0',
  up: true,
  mac: '02:00:00:00:00:0a',
  prefixes: [prefix('192.0.2.0/24'), prefix('2001:db8::/32')],
};

for (const [what, report, hex] of [
  ['a node that has nothing', nothing, `0104${head}80e4d0f4b733010000 00`],
  ['one that hands over', { ...nothing, draining: true }, `0105${head}80e4d0f4b733010000 00`],
  [
    'one that restarts, and tells no interfaces',
    { ...nothing, interfaces: undefined, restartingUntil: noon + 5_000 },
    `0102${head}80e4d0f4b73301888bd1f4b7330000`,
  ],
  [
    'its interfaces',
    { ...nothing, interfaces: [eth0, { name: 'br0', up: false, onlyByName: true, prefixes: [] }] },
    `0104${head}80e4d0f4b73301 02 03627230 02 00 0465746830 05 02000000000a 02 0418 82808006 0620 b89b848002 0000`,
  ],
  [
    'its claims: two addresses in a row since a second, and an IPv6 address a second longer',
    {
      ...nothing,
      claims: [
        { address: address('2001:db8::1'), since: noon - 2_000 },
        { address: address('0.0.1.1'), since: noon - 1_000 },
        { address: address('0.0.1.0'), since: noon - 1_000 },
      ],
    },
    `0104${head}80e4d0f4b73301 00 0201 8002 cf0f 00 00 8180808080808080808080808080ee868140 cf0f`,
  ],
] as const) {
  test(`the bytes of ${what} are those of version 1`, () => {
    assert.equal(hexOf(bytesOf(report)), hex.replaceAll(' ', ''));
  });
}

const anyPrefix = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 32 }), fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }))
    .map(([length, value]) => prefix(`${formatAddress({ family: 4, value })}/${length}`)),
  fc
    .tuple(fc.integer({ min: 0, max: 128 }), fc.bigInt({ min: 2n ** 60n, max: 2n ** 128n - 1n }))
    .map(([length, value]) => prefix(`${formatAddress({ family: 6, value })}/${length}`)),
);
const prefixKey = (one: ReturnType<typeof prefix>) => `${one.family}/${one.value}/${one.length}`;
const anyMac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
const anyInterface: fc.Arbitrary<NodeInterface> = fc
  .record(
    {
      name: fc.constantFrom('eth0', 'eth1', 'bond0.100', 'lan', '\u00fcber', 'a'),
      up: fc.boolean(),
      onlyByName: fc.constant(true),
      mac: anyMac,
      prefixes: fc.uniqueArray(anyPrefix, { maxLength: 4, selector: prefixKey }),
    },
    { requiredKeys: ['name', 'up', 'prefixes'], noNullPrototype: true },
  )
  .map((one) => ({
    ...one,
    prefixes: one.prefixes.toSorted((a, b) => compareAddresses(a, b) || a.length - b.length),
  }));

const anyTime = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const anyAddress: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ({ family: 4, value }) as const),
  fc.constantFrom<Address>({ family: 4, value: 0n }, { family: 4, value: 2n ** 32n - 1n }),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => ({ family: 6, value }) as const),
  fc.constantFrom<Address>({ family: 6, value: 0n }, { family: 6, value: 2n ** 128n - 1n }),
);
const anyClaims = fc
  .uniqueArray(fc.record({ address: anyAddress, since: anyTime }, { noNullPrototype: true }), {
    selector: (claim) => formatAddress(claim.address) + claim.address.family,
  })
  .map((claims) => claims.toSorted((a, b) => compareAddresses(a.address, b.address)));

const anyReport: fc.Arbitrary<NodeReport> = fc.record(
  {
    node: fc.constantFrom('node-a', 'a', `${'n'.repeat(63)}.example.com`),
    saidAt: anyTime,
    startedAt: anyTime,
    interfaces: fc.option(
      fc
        .uniqueArray(anyInterface, { selector: ({ name }) => name })
        .map((all) => all.toSorted((a, b) => (a.name < b.name ? -1 : 1))),
      { nil: undefined },
    ),
    draining: fc.boolean(),
    restartingUntil: fc.option(anyTime, { nil: undefined }),
    claims: anyClaims,
  },
  { noNullPrototype: true },
);

test('what is told is what is heard', () => {
  fc.assert(fc.property(anyReport, (report) => assert.deepEqual(decodeNodeReport(bytesOf(report)), report)));
});

test('the same facts in any order are the same bytes', () => {
  fc.assert(
    fc.property(anyReport, fc.integer(), (report, seed) => {
      const random = seededRandom(seed);
      const interfaces = report.interfaces?.map((one) => ({ ...one, prefixes: shuffled(one.prefixes, random) }));
      const other = {
        ...report,
        interfaces: interfaces && shuffled(interfaces, random),
        claims: shuffled(report.claims, random),
      };
      assert.equal(hexOf(bytesOf(other)), hexOf(bytesOf(report)));
    }),
  );
});

test('anything at all is a report or none, and never throws', () => {
  const spoilt = fc
    .tuple(anyReport, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([report, bad]) => {
      const bytes = bytesOf(report);
      for (const [at, byte] of bad) bytes[at % bytes.length] = byte;
      return bytes;
    });
  const started = fc.uint8Array({ maxLength: 200 }).map((rest) => Uint8Array.of(1, ...rest));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), started, spoilt), (bytes) => {
      const report = decodeNodeReport(bytes);
      // What was understood is a report like any other.
      if (report !== undefined) assert.deepEqual(decodeNodeReport(bytesOf(sorted(report))), sorted(report));
    }),
    { numRuns: 5_000 },
  );
});

/** Others may have put it into another order, and said the same thing twice. */
function sorted(report: NodeReport): NodeReport {
  const interfaces = report.interfaces?.map((one) => ({
    ...one,
    prefixes: one.prefixes.toSorted((a, b) => compareAddresses(a, b) || a.length - b.length),
  }));
  return { ...report, interfaces: interfaces?.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

test('a report that ends early is none', () => {
  fc.assert(
    fc.property(anyReport, fc.nat(), (report, place) => {
      const bytes = bytesOf(report);
      assert.equal(decodeNodeReport(bytes.subarray(0, place % bytes.length)), undefined);
    }),
  );
});

test('what a later version appends is passed over', () => {
  const bytes = Uint8Array.of(...bytesOf({ ...nothing, interfaces: [eth0] }), 7, 7, 7);
  assert.deepEqual(decodeNodeReport(bytes), { ...nothing, interfaces: [eth0] });
});

for (const [what, hex] of [
  ['nothing', ''],
  ['another version', `0204${head}80e4d0f4b73301000000`],
  ['no name', '010400 80e4d0f4b73301000000'],
  ['a name that is no text', '010401ff80e4d0f4b73301000000'],
  ['a time beyond all times', `0104${head}ffffffffffffff7f000000`],
  ['a number without an end', `0104${head}${'80'.repeat(100)}`],
  ['more interfaces than there can be', `0104${head}80e4d0f4b73301ffff7f0000`],
  ['a name that no interface has', `0104${head}80e4d0f4b7330101${'10'}${'61'.repeat(16)}0000 0000`],
  ['a prefix longer than an address', `0104${head}80e4d0f4b73301010161000104210000 00`],
  ['a prefix of no family', `0104${head}80e4d0f4b73301010161000105080000 00`],
  ['more claims than it has', `0104${head}80e4d0f4b7330100ff0700`],
  ['an address after the last', `0104${head}80e4d0f4b73301000200ffffffff0f000000`],
  ['an address that is too large', `0104${head}80e4d0f4b73301000100ffffffff1f00`],
  ['a time before all times', `0104${head}0500010005ff7f`],
] as const) {
  test(`${what} is no report`, () => assert.equal(decodeNodeReport(fromHex(hex.replaceAll(' ', ''))), undefined));
}

test('bytes beyond the limit are not looked at', () => {
  const bytes = new Uint8Array(maxReportBytes + 1);
  bytes.set(bytesOf(nothing));
  assert.equal(decodeNodeReport(bytes), undefined);
  assert.notEqual(decodeNodeReport(bytes.subarray(0, maxReportBytes)), undefined);
});

test('ten thousand addresses of a pool fit, each taken at another time', () => {
  const claims = [...Array(10_000).keys()].map((i) => ({
    address: { family: 4, value: 0xc612_0000n + BigInt(i) } as const,
    since: noon - ((i * 7_919) % 86_400_000),
  }));
  const { bytes, omittedClaims } = encodeNodeReport({ ...nothing, claims });
  assert.ok(bytes.length <= maxReportBytes, `${bytes.length} bytes`);
  assert.equal(omittedClaims, 0);
  assert.deepEqual(decodeNodeReport(bytes)?.claims, claims);
});

test('of more claims than fit the youngest are left out, and counted', () => {
  const random = seededRandom(1);
  const claims: Claim[] = [...Array(6_000).keys()].map((i) => ({
    address: { family: 6, value: (BigInt(random.integer(2 ** 31)) << 96n) + BigInt(i) },
    since: noon - random.integer(2 ** 40),
  }));
  const { bytes, omittedClaims } = encodeNodeReport({ ...nothing, claims });
  const told = decodeNodeReport(bytes)?.claims ?? [];
  assert.ok(bytes.length <= maxReportBytes && bytes.length > maxReportBytes - 100, `${bytes.length} bytes`);
  assert.equal(told.length + omittedClaims, claims.length);
  const youngest = Math.max(...told.map(({ since }) => since));
  assert.equal(claims.filter(({ since }) => since < youngest).length <= told.length, true);
});

test('interfaces that are too many are not told at all, because a part of them would mislead', () => {
  const many = [...Array(600).keys()].map((i) => ({ ...eth0, name: `vlan${i}` }));
  assert.equal(decodeNodeReport(bytesOf({ ...nothing, interfaces: many }))?.interfaces, undefined);
  const crowded = [{ ...eth0, prefixes: [...Array(129).keys()].map((i) => prefix(`198.18.${i}.0/24`)) }];
  assert.equal(decodeNodeReport(bytesOf({ ...nothing, interfaces: crowded }))?.interfaces, undefined);
});

test('of an address that is claimed twice the older claim is told, and times are whole', () => {
  const claims = [noon, noon - 5.5].map((since) => ({ address: address('192.0.2.1'), since }));
  const report = decodeNodeReport(bytesOf({ ...nothing, saidAt: noon + 0.5, claims }));
  assert.deepEqual(report?.claims, [{ address: address('192.0.2.1'), since: noon - 6 }]);
  assert.equal(report?.saidAt, noon);
});
