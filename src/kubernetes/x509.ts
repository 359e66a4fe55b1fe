import { createPrivateKey, generateKeyPairSync, hash, type KeyObject, sign, X509Certificate } from 'node:crypto';
import * as der from './der.ts';

/** A certificate and its key, PEM. */
export type Credential = { readonly certificate: string; readonly key: string };

export type Validity = {
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type Issue = Validity & {
  /** Random, 16 bytes. */
  readonly serial: Uint8Array;
};

const ecdsaWithSha256 = der.sequence(der.objectId('1.2.840.10045.4.3.2'));
const commonName = der.objectId('2.5.4.3');
const organizationName = der.objectId('2.5.4.10');
const subjectKeyId = der.objectId('2.5.29.14');
const serverAuth = der.objectId('1.3.6.1.5.5.7.3.1');

/** Where the subject is among the fields of a TBSCertificate that begins with its version (RFC 5280, section 4.1). */
const subjectField = 5;

/** A new self-signed authority (ECDSA on P-256), for certificates of servers alone. */
export function issueAuthority(issue: Issue): Credential {
  const { publicKey, privateKey } = newKeys();
  // A name of its own: a verifier that has two authorities tells them apart by name first.
  const id = Buffer.from(issue.serial).toString('hex').slice(0, 8);
  const name = nameOf([organizationName, 'garpoon'], [commonName, `garpoon webhooks ${id}`]);
  const extensions = [
    critical('2.5.29.19', der.sequence(der.boolean(true), der.integer(Uint8Array.of(0)))),
    critical('2.5.29.15', der.bits(Uint8Array.of(0b0000_0110), 1)), // keyCertSign, cRLSign
    extension('2.5.29.14', der.octets(keyId(publicKey))),
  ];
  return credential(issue, { issuer: name, subject: name, publicKey, extensions, signer: privateKey }, privateKey);
}

/** A new certificate for a TLS server that is reached by these DNS names. */
export function issueServing(authority: Credential, issue: Issue & { readonly names: readonly string[] }): Credential {
  const { publicKey, privateKey } = newKeys();
  const ca = new X509Certificate(authority.certificate);
  const names = issue.names.map((name) => der.implicit(2, Buffer.from(name)));
  const extensions = [
    critical('2.5.29.19', der.sequence()),
    critical('2.5.29.15', der.bits(Uint8Array.of(0b1000_0000), 7)), // digitalSignature
    extension('2.5.29.37', der.sequence(serverAuth)),
    extension('2.5.29.14', der.octets(keyId(publicKey))),
    extension('2.5.29.35', der.sequence(der.implicit(0, keyIdOf(ca)))),
    extension('2.5.29.17', der.sequence(...names)),
  ];
  const signer = createPrivateKey(authority.key);
  const subject = nameOf([organizationName, 'garpoon'], [commonName, 'garpoon webhooks']);
  return credential(issue, { issuer: subjectOf(ca), subject, publicKey, extensions, signer }, privateKey);
}

/** Whether the authority is one that `issueServing` can sign with: others' may have any kind of key. */
export function canIssue({ certificate, key }: Credential): boolean {
  const [ca, signer] = [readCertificate(certificate), readKey(key)];
  if (ca === undefined || signer === undefined || !ca.ca || !ca.checkPrivateKey(signer)) return false;
  return signer.asymmetricKeyType === 'ec' && signer.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** The certificates in a PEM text, in their order. What is no certificate is left out. */
export function splitBundle(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.filter((block) => readCertificate(block) !== undefined).map((block) => `${block}\n`);
}

/** The first certificate of a PEM text; undefined when there is none. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // the caller names where it comes from
  }
}

export function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // the caller names where it comes from
  }
}

export function validityOf(certificate: X509Certificate): Validity {
  return { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
}

type Content = {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
  readonly signer: KeyObject;
};

function credential({ serial, notBefore, notAfter }: Issue, content: Content, key: KeyObject): Credential {
  const positive = Uint8Array.from(serial);
  positive[0] = ((positive[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))), // version 3
    der.integer(positive),
    ecdsaWithSha256,
    content.issuer,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    content.subject,
    spkiOf(content.publicKey),
    der.explicit(3, der.sequence(...content.extensions)),
  );
  const signature = sign('sha256', toBeSigned, content.signer);
  const certificate = der.sequence(toBeSigned, ecdsaWithSha256, der.bits(signature));
  return { certificate: pem('CERTIFICATE', certificate), key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** RFC 7093, section 2, method 1: of the key itself, without the name of its algorithm. */
function keyId(key: KeyObject): Buffer {
  const bitString = der.elementsOf(spkiOf(key)).at(-1) ?? Buffer.alloc(0);
  return hash('sha256', bitString.subarray(3), 'buffer').subarray(0, 20);
}

function nameOf(...parts: readonly (readonly [type: Uint8Array, text: string])[]): Buffer {
  return der.sequence(...parts.map(([type, text]) => der.set(der.sequence(type, der.utf8(text)))));
}

/** As the authority itself writes it: verifiers compare names byte by byte. */
function subjectOf(certificate: X509Certificate): Uint8Array {
  const subject = fieldsOf(certificate)[subjectField];
  if (subject === undefined) throw new TypeError(`the certificate ${certificate.subject} has no subject field`);
  return subject;
}

/** As the authority itself writes it: there is more than one way to reckon it. */
function keyIdOf(certificate: X509Certificate): Uint8Array {
  const [extensions = der.sequence()] = der.elementsOf(fieldsOf(certificate).at(-1) ?? der.sequence());
  for (const one of der.elementsOf(extensions)) {
    const [id, value] = [der.elementsOf(one)[0], der.elementsOf(one).at(-1)];
    // The value is an octet string that holds the identifier, another octet string.
    if (id !== undefined && value !== undefined && subjectKeyId.equals(id)) return der.contentOf(der.contentOf(value));
  }
  return keyId(certificate.publicKey);
}

/** The elements of the TBSCertificate; extensions come last. */
function fieldsOf(certificate: X509Certificate): readonly Uint8Array[] {
  return der.elementsOf(der.elementsOf(certificate.raw)[0] ?? der.sequence());
}

function extension(id: string, value: Uint8Array): Buffer {
  return der.sequence(der.objectId(id), der.octets(value));
}

function critical(id: string, value: Uint8Array): Buffer {
  return der.sequence(der.objectId(id), der.boolean(true), der.octets(value));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
