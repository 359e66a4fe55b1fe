import { type Address, addressBits } from '../ip/address.ts';
import { ByteReader, ByteWriter } from './byte-stream.ts';

/** What the LAN said when a speaker asked who has an address that another node claims. */
export type AskedClaim = {
  readonly address: Address;
  /** Of the claim, as the claimer tells it: whole milliseconds since 1970. */
  readonly since: number;
  /** Who answered, each once; none: nobody did. */
  readonly macs: readonly string[];
};

export type VerificationMessage = {
  /** How many addresses were claimed at once; of more than some, a sample is asked about. */
  readonly claimed: number;
  readonly asked: readonly AskedClaim[];
};

/** More are not told in one message, and more MAC addresses not of one address. */
export const maxAsked = 64;
export const maxAnswers = 4;
const maxClaimed = 2 ** 20;
const maxTime = 2 ** 48 - 1;
/** Of the largest message: what is longer is of a later version, or none of ours. */
const maxBytes = 8_192;

/**
 * A number is as `ByteWriter` writes it.
 *
 *     version (a byte, 1) | claimed | count | count of: family (a byte) | address as a number | since
 *     | count of answers | MAC addresses of 6 bytes each; and whatever a later version appends
 */
const version = 1;

/** What is too much is left out. */
export function encodeVerification({ claimed, asked }: VerificationMessage): Uint8Array {
  const writer = new ByteWriter();
  const told = asked.slice(0, maxAsked);
  writer.byte(version);
  writer.number(Math.min(claimed, maxClaimed));
  writer.number(told.length);
  for (const { address, since, macs } of told) {
    writer.byte(address.family);
    writer.big(address.value);
    writer.number(Math.trunc(since));
    const answers = macs.filter((mac) => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)).slice(0, maxAnswers);
    writer.number(answers.length);
    for (const mac of answers) writer.raw(mac.split(':').map((byte) => Number.parseInt(byte, 16)));
  }
  return writer.bytes();
}

/** Undefined when it is anything else: it comes from the network. Never throws. */
export function decodeVerification(bytes: Uint8Array): VerificationMessage | undefined {
  if (bytes.length > maxBytes) return undefined;
  const reader = new ByteReader(bytes);
  if (reader.byte() !== version) return undefined;
  const claimed = reader.number(maxClaimed);
  const count = reader.number(maxAsked);
  const asked: AskedClaim[] = [];
  while (asked.length < count && !reader.failed) asked.push(readAsked(reader));
  return reader.failed ? undefined : { claimed, asked };
}

function readAsked(reader: ByteReader): AskedClaim {
  const says = reader.byte();
  const family = says === 4 ? 4 : 6;
  if (says !== family) reader.fail();
  const value = reader.big((1n << BigInt(addressBits[family])) - 1n);
  const since = reader.number(maxTime);
  const macs = Array.from({ length: reader.number(maxAnswers) }, () =>
    Array.from(reader.raw(6), (byte) => byte.toString(16).padStart(2, '0')).join(':'),
  );
  return { address: { family, value }, since, macs };
}
