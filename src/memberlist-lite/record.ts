import { addressBytes, addressText } from './address-text.ts';
import { maxNameBytes, maxUint8, maxUint16, maxUint32 } from './limits.ts';
import { type Malformed, malformed } from './malformed.ts';
import { MsgpackReader, MsgpackWriter } from './msgpack.ts';

/**
 * A record is one Go struct on the wire: a msgpack map from the field's Go name to its value. A schema names the
 * fields in our spelling (`seqNo` is `SeqNo` on the wire) and gives each a type; reading and writing follow from it.
 */

/** How one field is written and read. `zero` is what an absent or nil field means, as in Go. */
export type Field<T> = {
  readonly zero: T;
  readonly write: (writer: MsgpackWriter, value: T) => void;
  readonly read: (reader: MsgpackReader) => T;
  /** Left out of the map when it is zero. */
  readonly optional?: true;
};

export const uint8: Field<number> = unsigned(maxUint8);
export const uint16: Field<number> = unsigned(maxUint16);
export const uint32: Field<number> = unsigned(maxUint32);

export const boolean: Field<boolean> = {
  zero: false,
  write: (writer, value) => writer.boolean(value),
  read: (reader) => reader.boolean(),
};

export const name: Field<string> = text(maxNameBytes);

/** An IP address as text; empty when absent. Any length but 0, 4 and 16 bytes is malformed. */
export const address: Field<string> = {
  zero: '',
  write: (writer, value) => writer.binary(addressBytes(value) ?? new Uint8Array(0)),
  read(reader) {
    const bytes = reader.binary(16);
    const value = bytes.length === 0 ? '' : addressText(bytes);
    if (value === undefined) reader.fault ??= 'malformed';
    return value ?? '';
  },
};

/** A plain Go `int`, as go-msgpack 2 writes it. */
export function int(max: number): Field<number> {
  return { zero: 0, write: (writer, value) => writer.int(value), read: (reader) => reader.integer(max) };
}

export function text(maxBytes: number): Field<string> {
  return { zero: '', write: (writer, value) => writer.text(value), read: (reader) => reader.text(maxBytes) };
}

export function binary(maxBytes: number): Field<Uint8Array> {
  return {
    zero: new Uint8Array(0),
    write: (writer, value) => writer.binary(value),
    read: (reader) => reader.binary(maxBytes),
  };
}

export function optional<T extends string | number>(field: Field<T>): Field<T> {
  return { ...field, optional: true };
}

/** The fields of T with their types. */
export type Schema<T> = { readonly [K in keyof T]: Field<T[K]> };

export class Codec<T extends object> {
  /** wire name → our name and its type, in the order in which Go writes them: sorted bytewise. */
  readonly #fields: ReadonlyMap<string, readonly [keyof T & string, Field<unknown>]>;

  constructor(schema: Schema<T>) {
    const fields = Object.entries(schema) as [keyof T & string, Field<unknown>][];
    const wireNames = fields.map(([key, field]) => [key.charAt(0).toUpperCase() + key.slice(1), [key, field]] as const);
    this.#fields = new Map(wireNames.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** `prefix` is the message's type byte, where it has one. */
  encode(value: T, prefix?: number): Uint8Array {
    const writer = new MsgpackWriter();
    if (prefix !== undefined) writer.byte(prefix);
    const present = [...this.#fields].filter(([, [key, field]]) => !(field.optional && value[key] === field.zero));
    writer.map(present.length);
    for (const [wireName, [key, field]] of present) {
      writer.text(wireName);
      field.write(writer, value[key]);
    }
    return writer.finish();
  }

  /** Reads one record at `offset`. Unknown keys are skipped, absent ones are zero. `end` is where the record ended. */
  decode(bytes: Uint8Array, offset = 0): { readonly value: T; readonly end: number } | Malformed {
    const reader = new MsgpackReader(bytes, offset);
    const value: Record<string, unknown> = {};
    for (const [key, field] of this.#fields.values()) value[key] = field.zero;
    for (let left = reader.map(); left > 0 && reader.fault === undefined; left--) {
      const known = this.#fields.get(reader.key());
      if (known === undefined) reader.skip();
      else value[known[0]] = known[1].read(reader);
    }
    if (reader.fault !== undefined) return malformed(reader.fault);
    return { value: value as T, end: reader.offset };
  }
}

function unsigned(max: number): Field<number> {
  return { zero: 0, write: (writer, value) => writer.unsigned(value), read: (reader) => reader.integer(max) };
}
