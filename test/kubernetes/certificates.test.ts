import assert from 'node:assert/strict';
import { type Certificates, type RotationOptions, rotate, unusable } from '../../src/kubernetes/certificates.ts';
import { issueAuthority, issueServing, readCertificate, splitBundle, validityOf } from '../../src/kubernetes/x509.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/certificates');
const day = 86_400_000;
const minute = 60_000;
const names = ['webhook-service.metallb-system.svc'];
const random = seededRandom(1);
const begin = Date.UTC(2026, 0, 1);

function options(changes: Partial<RotationOptions> = {}): RotationOptions {
  return { names, now: begin, isTrusted: true, random, ...changes };
}

function made(at = begin): Certificates {
  return rotate(undefined, options({ now: at }))!.certificates;
}

/** Whether a client that trusts this bundle accepts the server's certificate at that moment. */
function accepts(bundle: string, { certificate }: Certificates, now: number): boolean {
  const serving = readCertificate(certificate);
  const isValid = (pem: string) => {
    const { notBefore, notAfter } = validityOf(readCertificate(pem)!);
    return notBefore <= now && now < notAfter;
  };
  const vouched = splitBundle(bundle).some((pem) => {
    const ca = readCertificate(pem)!;
    return isValid(pem) && serving?.checkIssued(ca) && serving.verify(ca.publicKey);
  });
  return vouched && isValid(certificate) && serving?.checkHost(names[0] ?? '') !== undefined;
}

test('from nothing an authority and a certificate are made', () => {
  const certificates = made();
  assert.equal(unusable(certificates), undefined);
  assert.ok(accepts(certificates.authorities, certificates, begin));
  assert.ok(accepts(certificates.authorities, certificates, begin - 4 * minute), 'clocks may be behind');
  assert.equal(rotate(certificates, options()), undefined);
});

test('certificates are renewed after two thirds of their life, and not before', () => {
  const certificates = made();
  assert.equal(rotate(certificates, options({ now: begin + 242 * day })), undefined);
  const renewed = rotate(certificates, options({ now: begin + 244 * day }));
  assert.equal(renewed?.reason, 'the certificate was due');
  assert.equal(renewed.certificates.authorities, certificates.authorities);
  assert.notEqual(renewed.certificates.certificate, certificates.certificate);
  assert.notEqual(renewed.certificates.key, certificates.key);
});

test('an authority that is due is followed by one that is first made known, and then signs', () => {
  const first = made();
  const due = begin + 2_434 * day;
  const current = rotate(first, options({ now: due - 10 * day }))!.certificates;
  const known = rotate(current, options({ now: due }))!.certificates;
  assert.equal(splitBundle(known.authorities).length, 2);
  assert.equal(known.certificate, current.certificate);
  assert.equal(rotate(known, options({ now: due + 9 * minute })), undefined, 'it settles');
  assert.equal(rotate(known, options({ now: due + day, isTrusted: false })), undefined, 'it waits to be trusted');
  const signed = rotate(known, options({ now: due + 11 * minute }));
  assert.equal(signed?.reason, 'there was a new authority');
  assert.ok(accepts(splitBundle(known.authorities)[0]!, signed.certificates, due + 11 * minute));
  const expired = rotate(signed.certificates, options({ now: begin + 3_651 * day }));
  assert.equal(splitBundle(expired!.certificates.authorities).length, 1);
});

test('in 50 years no client that heard of the authorities a look ago is refused', () => {
  let present = made();
  let before = present.authorities;
  const count = { rotations: 0, authorities: new Set<string>() };
  // A look an hour where something happens, and one in ten days otherwise.
  for (let now = begin; now < begin + 50 * 365 * day; ) {
    const heard = present.authorities;
    const rotation = rotate(present, options({ now, isTrusted: before === present.authorities }));
    if (rotation !== undefined) {
      present = rotation.certificates;
      count.rotations += 1;
    }
    assert.ok(accepts(heard, present, now), `refused on day ${(now - begin) / day}: ${rotation?.reason}`);
    assert.ok(accepts(present.authorities, present, now));
    before = heard;
    count.authorities.add(splitBundle(present.authorities)[0]!);
    now += rotation === undefined && heard === present.authorities ? 10 * day : day / 24;
  }
  assert.ok(count.authorities.size >= 7, `${count.authorities.size} authorities`);
  assert.ok(count.rotations >= 70, `${count.rotations} rotations`);
});

const other = issueAuthority({ serial: random.bytes(16), notBefore: begin, notAfter: begin + 3_650 * day });
for (const [what, broken, reason] of [
  ['with the key of another authority', { authorityKey: other.key }, 'the authority was due'],
  ['without a readable authority', { authorities: 'nonsense' }, 'the authority was due'],
  ['with the key of another certificate', { key: other.key }, 'the certificate was not usable'],
  ['without a readable certificate', { certificate: 'nonsense' }, 'the certificate was not usable'],
  ['without a readable key', { key: 'nonsense' }, 'the certificate was not usable'],
  [
    'of another authority',
    issueServing(other, { serial: random.bytes(16), notBefore: begin, notAfter: begin + day, names }),
    'the certificate was not usable',
  ],
] as const) {
  test(`certificates ${what} are repaired at once`, () => {
    const present = { ...made(), ...broken } as Certificates;
    const rotation = rotate(present, options({ isTrusted: false }));
    assert.equal(rotation?.reason, reason);
    assert.ok(accepts(rotation.certificates.authorities, rotation.certificates, begin) || 'authorityKey' in broken);
    assert.equal(unusable(rotation.certificates), undefined);
  });
}

test('a certificate for another name is replaced at once', () => {
  const rotation = rotate(made(), options({ names: ['other.metallb-system.svc'], isTrusted: false }));
  assert.equal(rotation?.reason, 'the certificate was not usable');
  assert.deepEqual(readCertificate(rotation.certificates.certificate)?.subjectAltName, 'DNS:other.metallb-system.svc');
});

test('after a long absence everything that has expired is replaced', () => {
  const now = begin + 20 * 365 * day;
  const { certificates } = rotate(made(), options({ now }))!;
  assert.equal(splitBundle(certificates.authorities).length, 1);
  assert.ok(accepts(certificates.authorities, certificates, now));
});

test('an authority of somebody else’s is kept in the bundle, and its certificate in use, until ours is trusted', () => {
  const theirs = issueServing(other, {
    serial: random.bytes(16),
    notBefore: begin,
    notAfter: begin + 365 * day,
    names,
  });
  // Its key is of a kind that we do not sign with, or it was not given to us.
  const present = { authorities: other.certificate, authorityKey: 'nonsense', ...theirs };
  const known = rotate(present, options())!.certificates;
  assert.equal(known.certificate, theirs.certificate);
  assert.ok(splitBundle(known.authorities).includes(other.certificate));
  const later = begin + 11 * minute;
  const signed = rotate(known, options({ now: later }))!.certificates;
  assert.ok(accepts(known.authorities, signed, later));
  assert.notEqual(signed.certificate, theirs.certificate);
});
