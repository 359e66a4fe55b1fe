import { decodeMessage } from '../src/bgp/codec.ts';
import { MessageFramer } from '../src/bgp/framer.ts';
import { encodeUpdates, type WireAttributes } from '../src/bgp/update-encoder.ts';
import type { Prefix } from '../src/ip/prefix.ts';
import { interleaved, long, progress, type Quantities, reporter } from './bench.ts';

/**
 * What it costs to write routes and to read them.
 *
 *   encode   routes with the same attributes into UPDATEs, beside one UPDATE for each prefix, which is what MetalLB's
 *            native mode sends: time, messages, bytes
 *   decode   a table of 100,000 routes as a connection delivers it, packed as we do it and with three routes in an UPDATE
 *            as in the tables of routers, beside a copy of the same bytes
 */
const report = reporter('bgp-codec');
const rounds = long ? 51 : 15;
const context = { fourOctetAsn: true };
const attributes: WireAttributes = {
  origin: 'igp',
  asPath: [64_500],
  nextHop: { family: 4, value: 0xc0000201n },
  communities: [0xfbf40001],
  largeCommunities: [],
};
/** As a socket reads them. */
const chunkBytes = 65_536;
const table = 100_000;

for (const size of [10_000, 100_000]) {
  progress(`encode ${size}`);
  const routes = prefixes(size);
  const variants = { packed: () => encoded([routes]), single: () => encoded(routes.map((route) => [route])) };
  for (const run of Object.values(variants)) await run();
  const { packed, single } = await interleaved(rounds, variants);
  const against = 'one UPDATE for each prefix';
  for (const [what, unit] of [
    ['time', 'ms'],
    ['messages', 'UPDATEs'],
    ['bytes', 'bytes'],
  ] as const) {
    report({
      case: `encode-${size}/${what}`,
      value: packed[what]!,
      unit,
      better: 'lower',
      baseline: single[what]!,
      against,
    });
  }
}

const tables = { packed: stream([prefixes(table)]), 'three-each': stream(groupsOf(3, prefixes(table))) };
for (const [name, bytes] of Object.entries(tables)) {
  progress(`decode ${name}: ${bytes.length} bytes`);
  const variants = { decode: () => decoded(bytes), copy: () => copied(bytes) };
  for (const run of Object.values(variants)) await run();
  const { decode, copy } = await interleaved(rounds, variants);
  const rate = (time: number) => table / (time / 1_000);
  report({
    case: `decode-${table}/${name}/rate`,
    value: rate(decode.time!),
    unit: 'routes/s',
    better: 'higher',
    baseline: rate(copy.time!),
    against: 'a copy of the same bytes',
  });
}

async function encoded(groups: readonly (readonly Prefix[])[]): Promise<Quantities> {
  const announce = groups.map((group) => ({ attributes, family: 4 as const, prefixes: group }));
  let messages = 0;
  let bytes = 0;
  const begun = performance.now();
  for (const message of encodeUpdates({ announce, withdraw: [] }, context)) {
    messages++;
    bytes += message.length;
  }
  return { time: performance.now() - begun, messages, bytes };
}

async function decoded(bytes: Uint8Array): Promise<Quantities> {
  const framer = new MessageFramer();
  let routes = 0;
  const begun = performance.now();
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const messages = framer.push(bytes.subarray(at, at + chunkBytes));
    if (!Array.isArray(messages)) throw new Error(messages.text);
    for (const message of messages) {
      const update = decodeMessage(message, context);
      if ('announced' in update) routes += update.announced.length;
    }
  }
  const time = performance.now() - begun;
  if (routes !== table) throw new Error(`${routes} routes of ${table}`);
  return { time };
}

async function copied(bytes: Uint8Array): Promise<Quantities> {
  const begun = performance.now();
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    chunks.push(new Uint8Array(bytes.subarray(at, at + chunkBytes)));
  return { time: performance.now() - begun, chunks: chunks.length };
}

function stream(groups: readonly (readonly Prefix[])[]): Uint8Array {
  const announce = groups.map((group) => ({ attributes, family: 4 as const, prefixes: group }));
  return new Uint8Array(Buffer.concat([...encodeUpdates({ announce, withdraw: [] }, context)]));
}

function prefixes(count: number): Prefix[] {
  return Array.from({ length: count }, (_, i) => ({ family: 4, value: 0x0a000000n + BigInt(i), length: 32 }));
}

function groupsOf<T>(size: number, items: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}
