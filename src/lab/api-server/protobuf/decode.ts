import type { Json, JsonObject } from '../json.ts';
import { stringAt } from '../json.ts';
import { badRequest } from '../status.ts';
import { envelope, type FieldType, type Message, messages } from './messages.ts';

const magic = 'k8s\0';

/** An object sent as protobuf, as JSON. Throws a 400 Status for what is malformed or holds more than is known here. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (body.toString('latin1', 0, magic.length) !== magic) throw refused('it does not begin with "k8s\\0"');
  const wrapped = decodeMessage(body.subarray(magic.length), envelope);
  const kind = stringAt(wrapped, 'typeMeta', 'kind');
  const message = Object.hasOwn(messages, kind) ? messages[kind] : undefined;
  if (message === undefined) throw refused(`kind ${JSON.stringify(kind)} is taken as JSON only`);
  const raw = Buffer.from(stringAt(wrapped, 'raw'), 'base64');
  return { apiVersion: stringAt(wrapped, 'typeMeta', 'apiVersion'), kind, ...decodeMessage(raw, message) };
}

/** The wire value of one field: a number, or bytes. */
type Wire = number | Buffer;

function decodeMessage(bytes: Buffer, message: Message): JsonObject {
  const object: JsonObject = {};
  for (const [number, wire] of fieldsOf(bytes)) {
    const field = message[number];
    if (field !== undefined) {
      put(object, field[0], decodeField(wire, field[1]), field[1]);
    } else if (!isZero(wire)) {
      // The encoder writes zero values too; only what would be lost is refused.
      throw refused(`field ${number} is taken as JSON only`);
    }
  }
  return object;
}

function put(object: JsonObject, name: string, value: Json | undefined, type: FieldType): void {
  const here = object[name];
  if (value === undefined) return;
  const isList = type === 'texts' || (typeof type === 'object' && 'many' in type);
  const isMap = type === 'text-map' || type === 'bytes-map';
  if (isList) object[name] = [...((here as Json[]) ?? []), value];
  else if (isMap) object[name] = { ...(here as JsonObject), ...(value as JsonObject) };
  else object[name] = value;
}

function decodeField(wire: Wire, type: FieldType): Json | undefined {
  if (typeof type === 'object') {
    if ('many' in type) return decodeMessage(asBytes(wire), type.many);
    const one = decodeMessage(asBytes(wire), type.one);
    return Object.keys(one).length === 0 ? undefined : one;
  }
  switch (type) {
    case 'text':
      return asBytes(wire).toString('utf8') || undefined;
    case 'texts':
      return asBytes(wire).toString('utf8');
    case 'int':
      return asNumber(wire) || undefined;
    case 'int?':
      return asNumber(wire);
    case 'flag':
      return asNumber(wire) !== 0 || undefined;
    case 'flag?':
      return asNumber(wire) !== 0;
    case 'bytes':
      return asBytes(wire).toString('base64');
    case 'time':
      return undefined; // creationTimestamp, the only one: the server sets it
    case 'int-or-text': {
      const { type: isText, number, text } = decodeMessage(asBytes(wire), intOrText);
      return isText === 1 ? (text ?? '') : (number ?? 0);
    }
    case 'text-map':
    case 'bytes-map': {
      const { key = '', value = '' } = decodeMessage(asBytes(wire), type === 'text-map' ? textEntry : bytesEntry);
      return { [String(key)]: value };
    }
    default:
      return type satisfies never;
  }
}

const intOrText: Message = { 1: ['type', 'int'], 2: ['number', 'int'], 3: ['text', 'text'] };
const textEntry: Message = { 1: ['key', 'text'], 2: ['value', 'text'] };
const bytesEntry: Message = { 1: ['key', 'text'], 2: ['value', 'bytes'] };

/** Every field in the bytes, by number. Lengths are checked against what is there before they are used. */
function* fieldsOf(bytes: Buffer): Generator<[number, Wire]> {
  let offset = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset];
      if (byte === undefined) break;
      offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw refused('it is cut short');
  };
  while (offset < bytes.length) {
    const tag = varint();
    const [number, type] = [tag >>> 3, tag & 7];
    if (type === 0) yield [number, varint()];
    else if (type === 2) {
      const length = varint();
      if (length < 0 || length > bytes.length - offset) throw refused('it is cut short');
      yield [number, bytes.subarray(offset, offset + length)];
      offset += length;
    } else throw refused(`wire type ${type} is not used by the API`);
  }
}

/** True for a value that says nothing: zero, no bytes, or a message of nothing but such values. */
function isZero(wire: Wire): boolean {
  if (typeof wire === 'number') return wire === 0;
  try {
    return [...fieldsOf(wire)].every(([, field]) => isZero(field));
  } catch {
    return false; // text, not a message
  }
}

function asBytes(wire: Wire): Buffer {
  if (typeof wire === 'number') throw refused('a number stands where bytes belong');
  return wire;
}

function asNumber(wire: Wire): number {
  if (typeof wire !== 'number') throw refused('bytes stand where a number belongs');
  return wire;
}

function refused(why: string): Error {
  return badRequest(`the protobuf body cannot be read: ${why}`);
}
