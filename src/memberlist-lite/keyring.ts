import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../runtime/random.ts';
import { concat, copyOf, noBytes, sameBytes } from './bytes.ts';
import { ConfigError } from './config.ts';
import { type Malformed, malformed } from './malformed.ts';

/**
 * AES-GCM under a shared key. A sealed message is version(1) nonce(12) ciphertext tag(16). Version 1 is what everyone
 * sends; version 0, of members that speak protocol 1, pads the plaintext to 16 bytes as in PKCS#7.
 *
 * Nonces are random, so one key must not seal more than 2^32 messages in its life.
 */
const versionBytes = 1;
const nonceBytes = 12;
const tagBytes = 16;
const blockBytes = 16;
const smallest = versionBytes + nonceBytes + tagBytes;

export type SealVersion = 0 | 1;

/** What sealing adds to a message, at most. */
export const maxSealOverhead: Readonly<Record<SealVersion, number>> = { 0: smallest + blockBytes, 1: smallest };

/** The length of a message of `length` bytes when it is sealed. */
export function sealedLength(length: number, version: SealVersion): number {
  return smallest + length + (version === 0 ? blockBytes - (length % blockBytes) : 0);
}

/** The keys of a ring: the first one seals, every one opens. Adding, promoting and removing changes a key live. */
export class Keyring {
  #keys: readonly Uint8Array[];

  /** Each key has 16, 24 or 32 bytes; throws ConfigError otherwise, or when there is none. */
  constructor(keys: readonly Uint8Array[]) {
    if (keys.length === 0) throw new ConfigError('a keyring needs a key', 'NO_KEY');
    this.#keys = [];
    for (const key of keys) this.add(key);
  }

  /** Adds a key that opens. Does nothing when it is there. */
  add(key: Uint8Array): void {
    if (![16, 24, 32].includes(key.length)) {
      throw new ConfigError(`a key has 16, 24 or 32 bytes, not ${key.length}`, 'KEY_LENGTH');
    }
    if (!this.#has(key)) this.#keys = [...this.#keys, copyOf(key)];
  }

  /** Makes a key that is on the ring the one that seals. */
  use(key: Uint8Array): void {
    if (!this.#has(key)) throw new ConfigError('cannot seal with a key that is not on the ring', 'NO_KEY');
    this.#keys = [copyOf(key), ...this.#without(key)];
  }

  /** Removes a key; throws for the one that seals. */
  remove(key: Uint8Array): void {
    if (sameBytes(this.#keys[0] ?? noBytes, key)) {
      throw new ConfigError('cannot remove the key that seals', 'PRIMARY_KEY');
    }
    this.#keys = this.#without(key);
  }

  /** Seals with the first key. `associated` is authenticated but not sent. */
  seal(plain: Uint8Array, associated: Uint8Array, random: Random, version: SealVersion = 1): Uint8Array {
    const key = this.#keys[0] as Uint8Array;
    const nonce = random.bytes(nonceBytes);
    const cipher = createCipheriv(gcm(key), key, nonce).setAAD(associated);
    const body = [cipher.update(plain), cipher.update(paddingOf(plain, version)), cipher.final()];
    return concat([Uint8Array.of(version), nonce, ...body, cipher.getAuthTag()]);
  }

  /** Opens with whichever key fits. */
  open(sealed: Uint8Array, associated: Uint8Array): Uint8Array | Malformed {
    const version = sealed[0];
    if (sealed.length < smallest || (version !== 0 && version !== 1)) return malformed('undecryptable');
    for (const key of this.#keys) {
      const plain = openWith(key, sealed, associated);
      if (plain !== undefined) return version === 1 ? plain : withoutPadding(plain);
    }
    return malformed('undecryptable');
  }

  #has(key: Uint8Array): boolean {
    return this.#keys.some((other) => sameBytes(other, key));
  }

  #without(key: Uint8Array): readonly Uint8Array[] {
    return this.#keys.filter((other) => !sameBytes(other, key));
  }
}

function openWith(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  const nonce = sealed.subarray(versionBytes, versionBytes + nonceBytes);
  const decipher = createDecipheriv(gcm(key), key, nonce, { authTagLength: tagBytes }).setAAD(associated);
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const plain = decipher.update(sealed.subarray(versionBytes + nonceBytes, -tagBytes));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined; // The tag does not fit: another key, or forged.
  }
}

function paddingOf(plain: Uint8Array, version: SealVersion): Uint8Array {
  const count = version === 0 ? blockBytes - (plain.length % blockBytes) : 0;
  return new Uint8Array(count).fill(count);
}

/** Upstream cuts by the last byte without looking; we look. */
function withoutPadding(plain: Uint8Array): Uint8Array | Malformed {
  const count = plain.at(-1) ?? 0;
  const valid =
    plain.length % blockBytes === 0 &&
    count >= 1 &&
    count <= blockBytes &&
    plain.subarray(-count).every((byte) => byte === count);
  return valid ? plain.subarray(0, -count) : malformed('undecryptable');
}

function gcm(key: Uint8Array): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  return key.length === 16 ? 'aes-128-gcm' : key.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm';
}
