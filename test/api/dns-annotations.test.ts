import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concernsDns, dnsAnnotations, formatWritten, readDnsWish, readWritten } from '../../src/api/dns-annotations.ts';
import { dnsEndpointSpec, dnsEndpointText } from '../../src/api/dns-endpoint.ts';
import { formatProblem } from '../../src/api/field.ts';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/dns-annotations');

const { asked, hostname, ttl, written } = dnsAnnotations;

function read(annotations: Record<string, string>) {
  return readDnsWish({ metadata: { namespace: 'shop', name: 'web', annotations } });
}

function problemsOf(annotations: Record<string, string>): readonly string[] {
  const wish = read(annotations);
  return wish !== undefined && 'problems' in wish ? wish.problems.map(formatProblem) : [];
}

const endpoint = (hostnames: readonly string[], time?: number) => ({ place: 'endpoint', hostnames, ttl: time });

for (const [annotations, wish] of [
  [{}, undefined],
  [{ [hostname]: 'www.example.com' }, undefined],
  [{ [asked]: 'annotation' }, { place: 'annotation' }],
  [{ [asked]: 'annotation', [ttl]: 'never' }, { place: 'annotation' }],
  [{ [asked]: 'endpoint', [hostname]: 'www.example.com' }, endpoint(['www.example.com'])],
  [
    { [asked]: 'endpoint', [hostname]: 'b.example.com, A.example.com.,b.example.com' },
    endpoint(['a.example.com', 'b.example.com']),
  ],
  [{ [asked]: 'endpoint', [hostname]: '*.example.com', [ttl]: '60' }, endpoint(['*.example.com'], 60)],
  [{ [asked]: 'endpoint', [hostname]: '_x.example.com', [ttl]: '1m30s' }, endpoint(['_x.example.com'], 90)],
  [{ [asked]: 'endpoint', [hostname]: 'localhost', [ttl]: '0' }, endpoint(['localhost'])],
  [{ [asked]: 'endpoint', [hostname]: 'a.b', [ttl]: '2147483647' }, endpoint(['a.b'], 2_147_483_647)],
] as const) {
  test(`${JSON.stringify(annotations)} asks for ${JSON.stringify(wish)}`, () => {
    assert.deepEqual(read(annotations as unknown as Record<string, string>), wish);
  });
}

const object = 'Service shop/web: metadata.annotations';
const noHostname = (found: string) =>
  `${object}[${hostname}]: must be names of hosts separated by commas, such as www.example.com (found "${found}")`;
const noTtl = (found: string) =>
  `${object}[${ttl}]: must be a number of seconds, at most 2147483647, or a duration such as 90s or 5m (found "${found}")`;

for (const [annotations, lines] of [
  [{ [asked]: 'yes' }, [`${object}[${asked}]: must be one of annotation, endpoint (found "yes")`]],
  [{ [asked]: 'endpoint' }, [`${object}[${hostname}]: is required`]],
  ...['', 'a b', '-a.example.com', 'a..b', 'www.*.com', 'a/b', `${'a'.repeat(64)}.com`].map(
    (name) => [{ [asked]: 'endpoint', [hostname]: name }, [noHostname(name)]] as const,
  ),
  [{ [asked]: 'endpoint', [hostname]: 'ok.example.com,' }, [noHostname('')]],
  ...['never', '', '-1', '1.5', '2147483648', '9999999999', ' 60'].map(
    (time) => [{ [asked]: 'endpoint', [hostname]: 'a.b', [ttl]: time }, [noTtl(time)]] as const,
  ),
  [{ [asked]: 'endpoint', [hostname]: '', [ttl]: 'x' }, [noHostname(''), noTtl('x')]],
  [
    { [asked]: 'endpoint', [hostname]: Array.from({ length: 101 }, (_, i) => `h${i}.example.com`).join(',') },
    [`${object}[${hostname}]: must be at most 100 names (found 101)`],
  ],
] as const) {
  test(`${JSON.stringify(annotations).slice(0, 120)} is refused, and the place is named`, () => {
    assert.deepEqual(problemsOf(annotations as unknown as Record<string, string>), lines);
  });
}

const addresses = fc.array(
  fc
    .oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => parseAddress(text) !== undefined),
    )
    .map((text) => parseAddress(text)!),
);

test('what is noted as written is read as it was', () => {
  fc.assert(
    fc.property(fc.constantFrom('annotation' as const, 'endpoint' as const), addresses, (place, list) => {
      assert.deepEqual(readWritten({ [written]: formatWritten({ place, addresses: list }) }), {
        place,
        addresses: list,
      });
    }),
  );
});

test('no annotation makes reading fail, and what is read fits into a DNS message', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.string(), (names, time, noted) => {
      assert.doesNotThrow(() => readWritten({ [written]: noted }));
      const wish = read({ [asked]: 'endpoint', [hostname]: names, [ttl]: time });
      if (wish === undefined || 'problems' in wish || wish.place !== 'endpoint') return;
      for (const name of wish.hostnames) assert.ok(name.length > 0 && name.length <= 253, name);
      assert.ok(wish.ttl === undefined || (wish.ttl >= 1 && wish.ttl < 2 ** 31));
    }),
  );
});

test('a Service is concerned by what it asks for, and by what was written', () => {
  assert.deepEqual(
    [undefined, {}, { [hostname]: 'a' }, { [asked]: '' }, { [written]: '' }].map((one) => concernsDns(one)),
    [false, false, false, true, true],
  );
});

test('a DNSEndpoint has an A and an AAAA record for every name, where there are addresses', () => {
  const both = ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map((text) => parseAddress(text) as Address);
  assert.deepEqual(dnsEndpointSpec({ hostnames: ['a', 'b'], ttl: 60 }, both), {
    endpoints: ['a', 'b'].flatMap((dnsName) => [
      { dnsName, recordType: 'A', targets: ['192.0.2.1', '192.0.2.2'], recordTTL: 60 },
      { dnsName, recordType: 'AAAA', targets: ['2001:db8::1'], recordTTL: 60 },
    ]),
  });
  const one = dnsEndpointSpec({ hostnames: ['a'], ttl: undefined }, both.slice(0, 1));
  assert.deepEqual(one, { endpoints: [{ dnsName: 'a', recordType: 'A', targets: ['192.0.2.1'] }] });
  const reordered = [{ targets: ['192.0.2.1'], recordTTL: 0, recordType: 'A', dnsName: 'a' }];
  assert.equal(dnsEndpointText({ endpoints: reordered }), dnsEndpointText(one));
});
