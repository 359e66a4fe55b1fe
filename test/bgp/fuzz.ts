/**
 * Throws made-up and mutated messages at the framer and the decoder, in pieces as a network may cut them, and holds what
 * comes of it against what they promise: nothing throws, nothing takes long, no value is beyond its bounds, and how the
 * stream is cut changes nothing.
 *
 *   node test/bgp/fuzz.ts seconds=600 [seed=1]
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { decodeMessage, encodeMessage } from '../../src/bgp/codec.ts';
import { MessageFramer } from '../../src/bgp/framer.ts';
import type { Message, Open, Update } from '../../src/bgp/message.ts';
import { isMessageError, type MessageError, maxNotificationData } from '../../src/bgp/message-error.ts';
import { describeNotification } from '../../src/bgp/notification.ts';
import { addressBits } from '../../src/ip/address.ts';
import type { Prefix } from '../../src/ip/prefix.ts';
import { type Random, seededRandom } from '../../src/runtime/random.ts';
import { randomMessage, randomStream } from './fuzz-inputs.ts';
import { hexOf } from './wire-bytes.ts';

export type FuzzReport = {
  readonly seed: number;
  readonly streams: number;
  /** By type. */
  readonly messages: Readonly<Record<string, number>>;
  /** By code/subcode. */
  readonly errors: Readonly<Record<string, number>>;
  /** Routes that were announced, withdrawn, and UPDATEs with something left out or taken for withdrawn. */
  readonly announced: number;
  readonly withdrawn: number;
  readonly faulty: number;
  readonly slowest: { readonly milliseconds: number; readonly input: string };
};

/** Longer than any input may keep the processor, garbage of those before it included. */
const slowestAllowed = 1000;

/** Runs for `seconds` of real time. Throws with the seed and the input when a promise is broken. */
export function fuzz({ seconds, seed }: { seconds: number; seed: number }): FuzzReport {
  const random = seededRandom(seed);
  const tally = new Tally();
  let slowest = { milliseconds: 0, input: '' };
  let streams = 0;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const bytes = streams % 2 === 0 ? randomMessage(random) : randomStream(random);
    streams++;
    const begun = process.cpuUsage();
    try {
      check(bytes, random, tally);
    } catch (cause) {
      throw new Error(`seed=${seed}, input ${streams}: ${hexOf(bytes)}`, { cause });
    }
    const { user, system } = process.cpuUsage(begun);
    const milliseconds = (user + system) / 1000;
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, input: hexOf(bytes.subarray(0, 60)) };
    assert.ok(milliseconds < slowestAllowed, `seed=${seed}: ${milliseconds} ms for ${hexOf(bytes)}`);
  }
  return { seed, streams, slowest, ...tally.result() };
}

function check(bytes: Uint8Array, random: Random, tally: Tally): void {
  const context = { fourOctetAsn: random.integer(2) === 0, ...(random.integer(2) === 0 && { external: true }) };
  const extended = random.integer(2) === 0;
  const whole = framed(bytes, bytes.length, extended);
  const cut = framed(bytes, 1 + random.integer(random.integer(3) === 0 ? 1 : 300), extended);
  assert.deepEqual(cut, whole, 'however it is cut');
  if (whole.fault !== undefined) tally.error(checkedError(whole.fault));
  for (const message of whole.messages) tally.count(checked(decodeMessage(message, context), message.length));
  // The decoder by itself, with what no framer would give it.
  const alone = decodeMessage(bytes, context);
  if (!isMessageError(alone)) checked(alone, bytes.length);
}

function framed(bytes: Uint8Array, size: number, extended: boolean) {
  const framer = new MessageFramer();
  framer.extended = extended;
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const result = framer.push(bytes.slice(at, at + size));
    if (Array.isArray(result)) for (const message of result) messages.push(new Uint8Array(message));
  }
  return { messages, fault: framer.fault };
}

function checked(result: Message | MessageError, length: number): Message | MessageError {
  if (isMessageError(result)) checkedError(result);
  else if (result.type === 'update') checkUpdate(result, length);
  else if (result.type === 'open') checkOpen(result);
  else if (result.type === 'notification') {
    const text = describeNotification(result.code, result.subcode, result.data);
    assert.ok(text.length > 0 && text.length < 500 && !/[\p{Cc}\p{Cf}]/u.test(text), text);
    if (length <= 4096) assert.deepEqual(decodeMessage(encodeMessage(result), { fourOctetAsn: true }), result);
  }
  return result;
}

function checkedError(error: MessageError): MessageError {
  assert.ok(error.code >= 1 && error.code <= 7 && error.data.length <= maxNotificationData);
  assert.ok(error.text.length > 0 && error.text.length < 200, error.text);
  describeNotification(error.code, error.subcode, error.data);
  return error;
}

function checkUpdate({ announced, withdrawn, faults, endOfRib }: Update, length: number): void {
  // A prefix takes a byte at least.
  assert.ok(announced.length + withdrawn.length <= length - 23);
  assert.ok(faults.length <= 8 && faults.every((text) => text.length < 200));
  if (endOfRib !== undefined) assert.equal(announced.length + withdrawn.length, 0);
  announced.forEach(checkPrefix);
  withdrawn.forEach(checkPrefix);
}

function checkPrefix({ family, value, length }: Prefix): void {
  const bits = addressBits[family];
  assert.ok(length >= 0 && length <= bits && value >= 0n && value >> BigInt(bits) === 0n);
  assert.equal(BigInt.asUintN(bits - length, value), 0n, 'no bits behind the length');
}

function checkOpen(open: Open): void {
  assert.ok(open.asn > 0 && open.asn <= 0xffffffff && open.routerId > 0 && open.routerId <= 0xffffffff);
  assert.ok(open.holdTime === 0 || (open.holdTime >= 3 && open.holdTime <= 65_535));
  assert.ok(open.capabilities.length <= 2048);
  const again = decodeMessage(encodeMessage(open), { fourOctetAsn: true });
  assert.deepEqual(again, open, 'what was read is written and read as the same');
}

class Tally {
  readonly #messages: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  #announced = 0;
  #withdrawn = 0;
  #faulty = 0;

  count(result: Message | MessageError): void {
    if (isMessageError(result)) {
      this.error(result);
      return;
    }
    this.#messages[result.type] = (this.#messages[result.type] ?? 0) + 1;
    if (result.type !== 'update') return;
    this.#announced += result.announced.length;
    this.#withdrawn += result.withdrawn.length;
    if (result.faults.length > 0) this.#faulty++;
  }

  error({ code, subcode }: MessageError): void {
    this.#errors[`${code}/${subcode}`] = (this.#errors[`${code}/${subcode}`] ?? 0) + 1;
  }

  result() {
    const [messages, errors] = [this.#messages, this.#errors];
    return { messages, errors, announced: this.#announced, withdrawn: this.#withdrawn, faulty: this.#faulty };
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = Object.fromEntries(process.argv.slice(2).map((arg) => arg.split('=') as [string, string]));
  const { seconds = 60, seed = Date.now() % 1_000_000 } = options as { seconds?: string; seed?: string };
  console.log(`seed=${seed}`);
  const report = fuzz({ seconds: Number(seconds), seed: Number(seed) });
  const memory = `${Math.round(process.memoryUsage().heapUsed / 1024 / 1024)} MiB of heap in use`;
  console.log(JSON.stringify(report, null, 2), memory);
}
