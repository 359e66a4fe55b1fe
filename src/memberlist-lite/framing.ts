import type { Random } from '../runtime/random.ts';
import { concat, noBytes } from './bytes.ts';
import { ConfigError } from './config.ts';
import { type Keyring, maxSealOverhead, type SealVersion, sealedLength } from './keyring.ts';
import { maxLabelBytes } from './limits.ts';
import { messageType } from './messages.ts';

/**
 * What all packets and streams of one ring have in common: its label and its keys. Whether something is encrypted is
 * known from having keys, never from its first byte, which collides with other meanings.
 */
export class Framing {
  readonly keyring: Keyring | undefined;
  /** With keys: refuse what is not encrypted. */
  readonly verifyIncoming: boolean;
  /** Authenticated with every sealed message. */
  readonly label: Uint8Array;
  /** What precedes everything else in a packet, and in the request of a stream; empty without a label. */
  readonly labelHeader: Uint8Array;
  /** Compress what goes out. */
  readonly compression: boolean;
  readonly #sealing: Keyring | undefined;
  readonly #sealVersion: SealVersion;
  readonly #random: Random;

  constructor(options: {
    readonly label: string;
    readonly keyring: Keyring | undefined;
    readonly verifyIncoming: boolean;
    readonly verifyOutgoing: boolean;
    readonly compression: boolean;
    readonly protocolVersion: number;
    readonly random: Random;
  }) {
    this.keyring = options.keyring;
    this.verifyIncoming = options.verifyIncoming;
    this.label = new TextEncoder().encode(options.label);
    if (this.label.length > maxLabelBytes) throw new ConfigError(`a label has at most ${maxLabelBytes} bytes`, 'LABEL');
    this.labelHeader =
      this.label.length === 0 ? noBytes : concat([Uint8Array.of(messageType.hasLabel, this.label.length), this.label]);
    this.#sealing = options.verifyOutgoing ? options.keyring : undefined;
    this.compression = options.compression;
    this.#sealVersion = options.protocolVersion === 1 ? 0 : 1;
    this.#random = options.random;
  }

  /** Bytes that label and encryption add to a packet, at most. */
  get overhead(): number {
    return this.labelHeader.length + (this.#sealing === undefined ? 0 : maxSealOverhead[this.#sealVersion]);
  }

  /** The bytes that go out: sealed, or as they are without a key. `associated` is authenticated beside the label. */
  seal(plain: Uint8Array, associate: (sealedLength: number) => Uint8Array = () => noBytes): Uint8Array {
    if (this.#sealing === undefined) return plain;
    const header = associate(sealedLength(plain.length, this.#sealVersion));
    const associated = concat([header, this.label]);
    return concat([header, this.#sealing.seal(plain, associated, this.#random, this.#sealVersion)]);
  }
}
