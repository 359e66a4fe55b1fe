import { readFileSync } from 'node:fs';
import { Framing } from '../../src/memberlist-lite/framing.ts';
import { Keyring } from '../../src/memberlist-lite/keyring.ts';
import { type Random, seededRandom } from '../../src/runtime/random.ts';

/** What real peers sent: see the `about` of the file. */
type Sample = { readonly hex: string; readonly plain?: string; readonly inflated?: string; readonly label?: string };

const file = new URL('../fixtures/memberlist/vectors.json', import.meta.url);
export const samples: Readonly<Record<string, Sample>> = JSON.parse(readFileSync(file, 'utf8')).samples;

export const sampleKey = new TextEncoder().encode('0123456789abcdef0123456789abcdef');

export function sample(name: string): Sample {
  const found = samples[name];
  if (found === undefined) throw new Error(`no sample "${name}"`);
  return found;
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export type FramingOptions = {
  readonly key?: Uint8Array;
  readonly label?: string;
  readonly verifyIncoming?: boolean;
  readonly compression?: boolean;
  readonly protocolVersion?: number;
  readonly random?: Random;
};

export function framing(options: FramingOptions = {}): Framing {
  return new Framing({
    label: options.label ?? '',
    keyring: options.key && new Keyring([options.key]),
    verifyIncoming: options.verifyIncoming ?? true,
    verifyOutgoing: true,
    compression: options.compression ?? false,
    protocolVersion: options.protocolVersion ?? 2,
    random: options.random ?? seededRandom(1),
  });
}
