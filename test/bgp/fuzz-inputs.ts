import { encodeMessage } from '../../src/bgp/codec.ts';
import type { Capability } from '../../src/bgp/message.ts';
import { encodeEndOfRib, encodeUpdates } from '../../src/bgp/update-encoder.ts';
import type { Family } from '../../src/ip/address.ts';
import type { Prefix } from '../../src/ip/prefix.ts';
import type { Random } from '../../src/runtime/random.ts';
import { address } from './wire-bytes.ts';

/** Bytes of a stream: messages that are well-formed, odd in one place or many, or none at all. */
export function randomStream(random: Random): Uint8Array {
  const messages = Array.from({ length: 1 + random.integer(4) }, () => randomMessage(random));
  return new Uint8Array(Buffer.concat(messages));
}

export function randomMessage(random: Random): Uint8Array {
  switch (random.integer(10)) {
    case 0:
      return random.bytes(random.integer(60));
    case 1:
      return mutated(honest(random), random);
    case 2:
      return withHeader(random.integer(7), random.bytes(pick(random, [0, 1, 4, 10, 40, 300, 4077])), random);
    case 3:
      return withHeader(1, oddOpen(random), random);
    case 4:
      return honest(random);
    default:
      return withHeader(2, oddUpdate(random), random);
  }
}

function honest(random: Random): Uint8Array {
  switch (random.integer(6)) {
    case 0:
      return encodeMessage({
        type: 'open',
        asn: number(random),
        holdTime: 90,
        routerId: number(random),
        capabilities: capabilities(random),
      });
    case 1:
      return encodeMessage({
        type: 'notification',
        code: random.integer(9),
        subcode: random.integer(12),
        data: random.bytes(random.integer(300)),
      });
    case 2:
      return encodeMessage({
        type: 'route-refresh',
        family: family(random),
        subtype: pick(random, ['request', 'begin', 'end']),
      });
    case 3:
      return encodeEndOfRib(family(random));
    case 4:
      return encodeMessage({ type: 'keepalive' });
    default:
      return [...updates(random)][0] ?? encodeEndOfRib(4);
  }
}

function updates(random: Random): Generator<Uint8Array> {
  const of = family(random);
  const nextHop = address(of === 4 && random.integer(2) === 0 ? '192.0.2.1' : '2001:db8::1');
  const attributes = {
    origin: 'igp' as const,
    asPath: Array.from({ length: random.integer(5) }, () => number(random)),
    nextHop,
    communities: Array.from({ length: random.integer(4) }, () => number(random)),
    largeCommunities: Array.from({ length: random.integer(3) }, () => [number(random), 1, 2] as const),
  };
  const prefixes = Array.from({ length: pick(random, [0, 1, 2, 30, 500]) }, () => prefix(random, of));
  const withdraw = Array.from({ length: pick(random, [0, 0, 1, 30]) }, () => prefix(random, of));
  return encodeUpdates(
    { announce: [{ attributes, family: of, prefixes }], withdraw },
    { fourOctetAsn: random.integer(2) === 0 },
  );
}

function capabilities(random: Random): Capability[] {
  const tuples = Array.from({ length: random.integer(3) }, () => ({ family: family(random), nextHop: family(random) }));
  const families = Array.from({ length: random.integer(3) }, () => ({
    family: family(random),
    forwardingPreserved: true,
  }));
  const known: readonly Capability[] = [
    { kind: 'multiprotocol', family: family(random) },
    { kind: 'route-refresh' },
    { kind: 'four-octet-asn', asn: number(random) },
    { kind: 'extended-next-hop', tuples },
    { kind: 'graceful-restart', restarted: false, notification: true, restartTime: random.integer(4096), families },
    { kind: 'unknown', code: 71 + random.integer(180), value: random.bytes(random.integer(200)) },
  ];
  return Array.from({ length: random.integer(8) }, () => pick(random, known));
}

/** The fields of an OPEN, with parameters that may contradict their lengths. */
function oddOpen(random: Random): Uint8Array {
  const extended = random.integer(4) === 0;
  const parameter = () => {
    const tlvs = Array.from({ length: random.integer(5) }, () =>
      tlv(pick(random, [1, 2, 5, 6, 64, 65, 70, 200]), random.bytes(pick(random, [0, 0, 2, 4, 6, 8, 20])), random, 1),
    );
    return tlv(random.integer(12) === 0 ? random.integer(256) : 2, join(tlvs), random, extended ? 2 : 1);
  };
  const parameters = join(Array.from({ length: random.integer(4) }, parameter));
  const told = lie(random, parameters.length);
  const head = extended ? [255, 255, told >> 8, told] : [told];
  const version = random.integer(20) === 0 ? random.integer(256) : 4;
  const asn = pick(random, [0, 1, 64_500, 65_535]);
  const holdTime = pick(random, [0, 1, 2, 3, 90, 90, 90]);
  const id = random.integer(20) === 0 ? new Uint8Array(4) : random.bytes(4);
  return join([Uint8Array.of(version, asn >> 8, asn, 0, holdTime, ...id, ...head), parameters]);
}

/** The fields of an UPDATE, mostly of the right lengths, with attributes that mostly have the right flags. */
function oddUpdate(random: Random): Uint8Array {
  const withdrawn = random.integer(3) === 0 ? routes(random, 4) : new Uint8Array(0);
  const types = random.integer(4) === 0 ? [] : [1, 2, 3];
  const extra = Array.from({ length: pick(random, [0, 0, 1, 2, 5]) }, () =>
    pick(random, [...attributeFlags.keys(), random.integer(256)]),
  );
  const attributes = join([...types, ...extra].map((type) => oddAttribute(type, random)));
  const announced = random.integer(2) === 0 ? routes(random, 4) : new Uint8Array(0);
  const length = (bytes: Uint8Array) => {
    const told = lie(random, bytes.length);
    return Uint8Array.of(told >> 8, told);
  };
  return join([length(withdrawn), withdrawn, length(attributes), attributes, announced]);
}

const attributeFlags: ReadonlyMap<number, number> = new Map([
  [1, 0x40],
  [2, 0x40],
  [3, 0x40],
  [4, 0x80],
  [5, 0x40],
  [6, 0x40],
  [7, 0xc0],
  [8, 0xc0],
  [9, 0x80],
  [10, 0x80],
  [14, 0x80],
  [15, 0x80],
  [16, 0xc0],
  [17, 0xc0],
  [18, 0xc0],
  [25, 0xc0],
  [32, 0xc0],
  [35, 0xc0],
]);

function oddAttribute(type: number, random: Random): Uint8Array {
  const right = attributeFlags.get(type) ?? 0xc0;
  const value = attributeValue(type, random);
  const long = value.length > 255 || random.integer(8) === 0;
  const flags = (random.integer(30) === 0 ? random.integer(256) & 0xef : right) | (long ? 0x10 : 0);
  return join([Uint8Array.of(flags), tlv(type, value, random, long ? 2 : 1)]);
}

function attributeValue(type: number, random: Random): Uint8Array {
  if (random.integer(12) === 0) return random.bytes(random.integer(40));
  switch (type) {
    case 1:
      return Uint8Array.of(random.integer(4));
    case 2:
    case 17:
      return join(Array.from({ length: random.integer(3) }, () => segment(random)));
    case 14: {
      const nextHop = random.bytes(pick(random, [4, 16, 16, 32]));
      const of = family(random);
      const head = Uint8Array.of(0, pick(random, [1, 2, of === 4 ? 1 : 2, 25]), pick(random, [1, 1, 1, 128]));
      return join([head, Uint8Array.of(lie(random, nextHop.length)), nextHop, Uint8Array.of(0), routes(random, of)]);
    }
    case 15:
      return join([Uint8Array.of(0, pick(random, [1, 2, 25]), 1), routes(random, family(random))]);
    case 8:
      return random.bytes(4 * random.integer(20));
    case 16:
    case 18:
      return random.bytes(8);
    case 25:
      return random.bytes(20);
    case 32:
      return random.bytes(12 * random.integer(6));
    case 6:
      return new Uint8Array(0);
    default:
      return random.bytes(4);
  }
}

function segment(random: Random): Uint8Array {
  const asns = random.bytes(pick(random, [2, 4]) * random.integer(4));
  return join([Uint8Array.of(pick(random, [1, 2, 2, 2, 3, 4, 5]), lie(random, asns.length >> 2)), asns]);
}

function routes(random: Random, of: Family): Uint8Array {
  const bits = of === 4 ? 32 : 128;
  return join(
    Array.from({ length: pick(random, [0, 1, 1, 2, 30, 300]) }, () => {
      const length = random.integer(400) === 0 ? random.integer(256) : random.integer(bits + 1);
      return join([Uint8Array.of(length), random.bytes((length + 7) >> 3)]);
    }),
  );
}

function tlv(type: number, value: Uint8Array, random: Random, lengthBytes: 1 | 2): Uint8Array {
  const told = lie(random, value.length);
  return join([lengthBytes === 2 ? Uint8Array.of(type, told >> 8, told) : Uint8Array.of(type, told), value]);
}

/** Mostly not. */
function lie(random: Random, truth: number): number {
  return random.integer(25) === 0 ? pick(random, [0, 1, truth + 1, Math.max(0, truth - 1), 255, 65_535]) : truth;
}

function withHeader(type: number, body: Uint8Array, random: Random): Uint8Array {
  const length = lie(random, 19 + body.length);
  return join([new Uint8Array(16).fill(0xff), Uint8Array.of(length >> 8, length, type), body]);
}

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let times = 1 + random.integer(4); times > 0; times--) {
    copy[random.integer(copy.length)] = pick(random, [0, 1, 0xff, random.integer(256)]);
  }
  return copy.subarray(0, random.integer(8) === 0 ? random.integer(copy.length) : copy.length);
}

function prefix(random: Random, of: Family): Prefix {
  const bits = of === 4 ? 32 : 128;
  const length = random.integer(bits + 1);
  const value = BigInt(`0x${Buffer.from(random.bytes(bits / 8)).toString('hex')}`);
  return { family: of, value: (value >> BigInt(bits - length)) << BigInt(bits - length), length };
}

function family(random: Random): Family {
  return random.integer(2) === 0 ? 4 : 6;
}

function number(random: Random): number {
  return pick(random, [0, 1, 23_456, 64_500, 65_535, 65_536, 0xffffffff, random.integer(0xffffffff)]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.integer(from.length)] as T;
}
