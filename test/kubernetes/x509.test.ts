import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canIssue, issueAuthority, issueServing, splitBundle, validityOf } from '../../src/kubernetes/x509.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/x509');
const random = seededRandom(1);
const names = ['webhook-service.metallb-system.svc', 'webhook-service.metallb-system.svc.cluster.local'];

function issue(notBefore = Date.UTC(2026, 0, 1), notAfter = Date.UTC(2027, 0, 1)) {
  return { serial: random.bytes(16), notBefore, notAfter };
}

function openssl(args: readonly string[], files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-x509-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const { stdout, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' });
  rmSync(directory, { recursive: true });
  return stdout + stderr;
}

test('OpenSSL accepts the chain by the strict rules of RFC 5280', () => {
  const authority = issueAuthority(issue());
  const serving = issueServing(authority, { ...issue(), names });
  const at = String(Date.UTC(2026, 6, 1) / 1_000);
  const args = ['verify', '-x509_strict', '-attime', at, '-purpose', 'sslserver', '-verify_hostname', names[0] ?? ''];
  const files = { 'ca.pem': authority.certificate, 'tls.pem': serving.certificate };
  assert.equal(openssl([...args, '-CAfile', 'ca.pem', 'tls.pem'], files), 'tls.pem: OK\n');
  assert.match(openssl([...args.slice(0, -1), 'other', '-CAfile', 'ca.pem', 'tls.pem'], files), /hostname mismatch/);
});

test('the certificates are X.509 version 3 and say what they are for', () => {
  const authority = issueAuthority(issue());
  const serving = issueServing(authority, { ...issue(), names });
  const ca = openssl(['x509', '-noout', '-text', '-in', 'ca.pem'], { 'ca.pem': authority.certificate });
  for (const line of [
    /Version: 3/,
    /Issuer: O = garpoon, CN = garpoon webhooks [0-9a-f]{8}\n/,
    /Basic Constraints: critical\s+CA:TRUE, pathlen:0/,
    /Key Usage: critical\s+Certificate Sign, CRL Sign/,
    /Subject Key Identifier/,
    /Public Key Algorithm: id-ecPublicKey/,
    /NIST CURVE: P-256/,
  ]) {
    assert.match(ca, line);
  }
  const tls = openssl(['x509', '-noout', '-text', '-in', 'tls.pem'], { 'tls.pem': serving.certificate });
  for (const line of [
    /Basic Constraints: critical\s+CA:FALSE/,
    /Key Usage: critical\s+Digital Signature\n/,
    /TLS Web Server Authentication/,
    /Authority Key Identifier/,
    /DNS:webhook-service.metallb-system.svc, DNS:webhook-service.metallb-system.svc.cluster.local/,
  ]) {
    assert.match(tls, line);
  }
});

for (const [notBefore, notAfter] of [
  [Date.UTC(2026, 0, 1), Date.UTC(2049, 11, 31, 23, 59, 59)],
  [Date.UTC(2026, 0, 1), Date.UTC(2050, 0, 1)],
  [Date.UTC(2050, 0, 1), Date.UTC(2199, 0, 1)],
] as const) {
  test(`the validity is as asked: ${new Date(notBefore).toISOString()} to ${new Date(notAfter).toISOString()}`, () => {
    const { certificate } = issueAuthority(issue(notBefore, notAfter));
    assert.deepEqual(validityOf(new X509Certificate(certificate)), { notBefore, notAfter });
    assert.match(openssl(['x509', '-noout', '-in', 'ca.pem'], { 'ca.pem': certificate }), /^$/);
  });
}

test('serial numbers are positive and of full length, whatever chance says', () => {
  for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
    const serial = new Uint8Array(16).fill(byte);
    const { serialNumber } = new X509Certificate(issueAuthority({ ...issue(), serial }).certificate);
    assert.equal(serialNumber.length, 32);
    assert.match(serialNumber, /^[4-7]/);
  }
});

test('a certificate can be issued by what an authority of OpenSSL’s calls itself', () => {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-x509-'));
  const [keyFile, caFile] = [join(directory, 'ca.key'), join(directory, 'ca.pem')];
  spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-subj', '/C=XX/O=Harbour/CN=Ünal', '-utf8', '-keyout', keyFile, '-out', caFile],
  ]);
  const [certificate, key] = [readFileSync(caFile, 'utf8'), readFileSync(keyFile, 'utf8')];
  rmSync(directory, { recursive: true });
  assert.ok(canIssue({ certificate, key }));
  const now = validityOf(new X509Certificate(certificate)).notBefore;
  const serving = issueServing({ certificate, key }, { ...issue(now, now + 86_400_000), names });
  const files = { 'ca.pem': certificate, 'tls.pem': serving.certificate };
  assert.equal(openssl(['verify', '-CAfile', 'ca.pem', 'tls.pem'], files), 'tls.pem: OK\n');
});

test('an authority with another kind of key, or without its own, signs nothing', () => {
  const one = issueAuthority(issue());
  const other = issueAuthority(issue());
  assert.ok(canIssue(one));
  assert.ok(!canIssue({ ...one, key: other.key }));
  assert.ok(!canIssue({ ...one, key: 'nonsense' }));
  assert.ok(!canIssue({ ...one, certificate: '' }));
  assert.ok(!canIssue(issueServing(one, { ...issue(), names })));
});

test('a bundle is split into its certificates, and what is none is left out', () => {
  const [a, b] = [issueAuthority(issue()).certificate, issueAuthority(issue()).certificate];
  const nonsense = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.deepEqual(splitBundle(`# ours\n${a}\n${nonsense}${b}`), [a, b]);
  assert.deepEqual(splitBundle(''), []);
});
