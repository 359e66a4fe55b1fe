import type { Random } from '../runtime/random.ts';
import { canIssue, issueAuthority, issueServing, readCertificate, readKey, splitBundle, validityOf } from './x509.ts';

/** What a TLS server shows, and by whom it is vouched for. PEM. */
export type ServingCertificate = {
  readonly certificate: string;
  readonly key: string;
  /** Undefined where somebody else tells the API server whom to trust. */
  readonly caBundle: string | undefined;
};

/** Where a server takes its certificate from, now and when there is another. */
export type CertificateSource = {
  /** Resolves with the first certificate; rejects when stopped before. */
  readonly ready: Promise<void>;
  current(): ServingCertificate | undefined;
  /** Returns the function that ends the subscription. */
  onChange(listener: (certificate: ServingCertificate) => void): () => void;
};

/** All that replicas share. PEM. */
export type Certificates = {
  /** The authority that signs first, then those before it that are not expired. */
  readonly authorities: string;
  /** Of the first authority. */
  readonly authorityKey: string;
  readonly certificate: string;
  readonly key: string;
};

export type RotationOptions = {
  /** The DNS names of the server. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether everybody who checks the server's certificate trusts all authorities by now. */
  readonly isTrusted: boolean;
  readonly random: Random;
};

export type Rotation = { readonly certificates: Certificates; readonly reason: string };

const day = 86_400_000;
const authorityLife = 3_650 * day;
const servingLife = 365 * day;
/** Of their life, after which both are renewed. */
const renewAfter = 2 / 3;
/** Clocks of other machines may be behind. */
const backdate = 300_000;
/** For how long a new authority is only made known before it signs: API servers hear of it one after the other. */
const settleTime = 600_000;

/**
 * The certificates that should take the place of the present ones; undefined when these are good.
 *
 *     authority A ─────────── 2/3 ──────────────────────▶ expired: out of the bundle
 *     serving  a ── 2/3 ▶ a' ── 2/3 ▶ a'' ──┐
 *     authority             B: made known   └─ settled, and trusted everywhere ─▶ serving b
 *
 * At every moment the server's certificate is vouched for by an authority that has been made known long before, unless
 * there is no usable certificate at all: then a new one cannot make it worse.
 */
export function rotate(present: Certificates | undefined, options: RotationOptions): Rotation | undefined {
  const { now } = options;
  if (present === undefined) return anew('there were none', options);
  const known = splitBundle(present.authorities).filter((pem) => !isExpired(pem, now));
  const [newest] = known;
  const isUsable = isServing(present, known, options);
  const signs = newest !== undefined && canIssue({ certificate: newest, key: present.authorityKey });
  if (!signs || isDue(newest, now)) {
    const made = anew('the authority was due', options);
    if (!isUsable) return made;
    const authorities = [splitBundle(made.certificates.authorities)[0], ...known].join('');
    const { authorityKey } = made.certificates;
    return { certificates: { ...present, authorities, authorityKey }, reason: made.reason };
  }
  const authorities = known.join('');
  const serve = (reason: string): Rotation => {
    const authority = { certificate: newest, key: present.authorityKey };
    const { certificate, key } = issueServing(authority, { ...issue(servingLife, options), names: options.names });
    return { certificates: { authorities, authorityKey: present.authorityKey, certificate, key }, reason };
  };
  if (!isUsable) return serve('the certificate was not usable');
  const isSettled = now - validityOf(readCertificate(newest)!).notBefore >= backdate + settleTime;
  if (isSettled && options.isTrusted) {
    if (isDue(present.certificate, now)) return serve('the certificate was due');
    if (!isSignedBy(present.certificate, newest)) return serve('there was a new authority');
  }
  if (authorities === present.authorities) return undefined;
  return { certificates: { ...present, authorities }, reason: 'an authority has expired' };
}

/** Why the certificate and key cannot be served together; undefined when they can. */
export function unusable({ certificate, key }: Pick<ServingCertificate, 'certificate' | 'key'>): string | undefined {
  const [read, secret] = [readCertificate(certificate), readKey(key)];
  if (read === undefined) return 'the certificate cannot be read';
  if (secret === undefined) return 'the key cannot be read';
  return read.checkPrivateKey(secret) ? undefined : 'the key is not that of the certificate';
}

function anew(reason: string, options: RotationOptions): Rotation {
  const authority = issueAuthority(issue(authorityLife, options));
  const { certificate, key } = issueServing(authority, { ...issue(servingLife, options), names: options.names });
  const { certificate: authorities, key: authorityKey } = authority;
  return { certificates: { authorities, authorityKey, certificate, key }, reason };
}

function issue(life: number, { now, random }: RotationOptions) {
  return { serial: random.bytes(16), notBefore: now - backdate, notAfter: now + life };
}

function isServing(present: Certificates, known: readonly string[], { names, now }: RotationOptions): boolean {
  const certificate = readCertificate(present.certificate);
  if (certificate === undefined || unusable(present) !== undefined || isExpired(present.certificate, now)) return false;
  const named = names.every((name) => certificate.checkHost(name, { subject: 'never' }) !== undefined);
  return named && known.some((authority) => isSignedBy(present.certificate, authority));
}

function isSignedBy(pem: string, authority: string): boolean {
  const [certificate, ca] = [readCertificate(pem), readCertificate(authority)];
  return (
    certificate !== undefined && ca !== undefined && certificate.checkIssued(ca) && certificate.verify(ca.publicKey)
  );
}

function isExpired(pem: string, now: number): boolean {
  const certificate = readCertificate(pem);
  return certificate === undefined || validityOf(certificate).notAfter <= now;
}

function isDue(pem: string, now: number): boolean {
  const certificate = readCertificate(pem);
  if (certificate === undefined) return true;
  const { notBefore, notAfter } = validityOf(certificate);
  return now >= notBefore + (notAfter - notBefore) * renewAfter;
}
