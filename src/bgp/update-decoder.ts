import type { Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { Update } from './message.ts';
import { type MessageError, messageError } from './message-error.ts';
import { readPrefixes } from './nlri.ts';
import { notifications } from './notification.ts';
import {
  type AttributeContext,
  type AttributeFault,
  type AttributeRule,
  attributeFlags,
  attributeRules,
  attributeTypes,
  hostAddress,
  optionalTransitive,
} from './path-attributes.ts';
import { familyOf, readUint16 } from './wire.ts';

export type UpdateContext = AttributeContext;

/** Faults of one message that are told; an UPDATE may have thousands. */
const maxFaults = 8;

const mpReachLeast = 5;
const mpUnreachLeast = 3;
/** RFC 4760, RFC 8950, RFC 2545: with a link-local address behind the global one. */
const nextHopLengths: Readonly<Record<Family, readonly number[]>> = { 4: [4, 16, 32], 6: [16, 32] };

/**
 * The body of an UPDATE (RFC 4271 section 4.3), by RFC 7606: what is malformed makes the routes that come with it
 * withdrawn ones, or is left out. An error, which ends the session, is what remains: prefixes that cannot be told apart,
 * lengths that contradict each other, a well-known attribute nobody knows, and a malformed attribute where no route says
 * what it is about.
 *
 *   length of withdrawn (2) · withdrawn IPv4 · length of attributes (2) · attributes · announced IPv4
 */
export function decodeUpdate(body: Uint8Array, context: UpdateContext): Update | MessageError {
  return new UpdateDecoder(body, context).decode();
}

/** By type; of the one message that is being decoded. */
const seenTypes = new Uint8Array(256);

class UpdateDecoder {
  readonly #body: Uint8Array;
  readonly #context: UpdateContext;
  readonly #announced: Prefix[] = [];
  readonly #withdrawn: Prefix[] = [];
  readonly #faults: string[] = [];
  readonly #seen = seenTypes.fill(0);
  /** Different ones. */
  #attributes = 0;
  /** Announces routes, of a family that we do not speak, perhaps. */
  #reachable = false;
  /** Of the last MP_UNREACH_NLRI, when it withdraws nothing. */
  #emptyUnreach: Family | undefined;
  /** The first fault for which the routes count as withdrawn. */
  #withdrawing: MessageError | undefined;

  constructor(body: Uint8Array, context: UpdateContext) {
    this.#body = body;
    this.#context = context;
  }

  decode(): Update | MessageError {
    const body = this.#body;
    const withdrawnEnd = 2 + readUint16(body, 0);
    if (withdrawnEnd + 2 > body.length) return contradiction('the withdrawn routes run over the message');
    const attributesEnd = withdrawnEnd + 2 + readUint16(body, withdrawnEnd);
    if (attributesEnd > body.length) return contradiction('the attributes run over the message');
    const error =
      this.#readIpv4(2, withdrawnEnd, this.#withdrawn) ??
      this.#readAttributes(withdrawnEnd + 2, attributesEnd) ??
      this.#readIpv4(attributesEnd, body.length, this.#announced);
    if (error !== undefined) return error;
    this.#requireWellKnown(attributesEnd < body.length);
    return this.#result();
  }

  #result(): Update | MessageError {
    // RFC 7606 section 5.2: what the malformed attribute was to be about may not have been understood either.
    if (this.#withdrawing !== undefined && !this.#reachable) return this.#withdrawing;
    const faults = this.#faults;
    if (this.#withdrawing !== undefined) {
      for (const prefix of this.#announced) this.#withdrawn.push(prefix);
      return { type: 'update', announced: [], withdrawn: this.#withdrawn, endOfRib: undefined, faults };
    }
    const endOfRib = this.#endOfRib();
    return { type: 'update', announced: this.#announced, withdrawn: this.#withdrawn, endOfRib, faults };
  }

  /** RFC 4724 section 2. */
  #endOfRib(): Family | undefined {
    if (this.#reachable || this.#withdrawn.length > 0) return undefined;
    return this.#attributes === 0 ? 4 : this.#attributes === 1 ? this.#emptyUnreach : undefined;
  }

  #readIpv4(from: number, end: number, into: Prefix[]): MessageError | undefined {
    const problem = readPrefixes(this.#body, from, end, 4, into);
    if (problem !== undefined) return messageError(notifications.invalidNetworkField, problem);
    if (into === this.#announced && end > from) this.#reachable = true;
    return undefined;
  }

  #readAttributes(from: number, end: number): MessageError | undefined {
    for (let at = from; at < end; ) {
      const flags = this.#body[at]!;
      const lengthBytes = flags & attributeFlags.extendedLength ? 2 : 1;
      const valueFrom = at + 2 + lengthBytes;
      // RFC 7606 section 4: the total length is to be relied upon, and the routes behind it are found by it.
      if (valueFrom > end) return this.#overrun('the attributes end within the head of one');
      const type = this.#body[at + 1]!;
      const length = lengthBytes === 2 ? readUint16(this.#body, at + 2) : this.#body[at + 2]!;
      const valueEnd = valueFrom + length;
      if (valueEnd > end) return this.#overrun(`attribute ${type} of ${length} bytes runs over the others`);
      const error = this.#readAttribute(flags, type, at, valueFrom, valueEnd);
      if (error !== undefined) return error;
      at = valueEnd;
    }
    return undefined;
  }

  #overrun(text: string): undefined {
    this.#withdraw(contradiction(text));
  }

  /** `at` is where the attribute begins. */
  #readAttribute(flags: number, type: number, at: number, from: number, end: number): MessageError | undefined {
    const rule = attributeRules[type];
    if (this.#seen[type] === 1) return this.#again(rule, type);
    this.#seen[type] = 1;
    this.#attributes++;
    if (rule === undefined) {
      if (flags & attributeFlags.optional) return undefined;
      const text = `a well-known attribute of type ${type}, which we do not know`;
      return messageError(notifications.unrecognizedWellKnown, text, this.#body.subarray(at, end));
    }
    if (rule.internalOnly && this.#context.external === true) return undefined;
    if (rule.twoOctetsOnly && this.#context.fourOctetAsn) return undefined;
    const fault = flagsFault(rule, flags) ?? rule.check(this.#body, from, end, this.#context);
    if (fault !== undefined) return this.#malformed(rule, fault, at, end);
    if (type === attributeTypes.mpReach) return this.#readReach(rule, at, from, end);
    if (type === attributeTypes.mpUnreach) return this.#readUnreach(rule, at, from, end);
    return undefined;
  }

  /** RFC 7606 section 3 (g): the first one counts, unless it has routes in it. */
  #again(rule: AttributeRule | undefined, type: number): MessageError | undefined {
    const text = `${rule?.name ?? `attribute ${type}`} stands there more than once`;
    if (rule?.whenMalformed === 'reset') return messageError(notifications.malformedAttributeList, text);
    this.#note(text);
    return undefined;
  }

  #malformed(rule: AttributeRule, fault: AttributeFault, at: number, end: number): MessageError | undefined {
    const error = messageError(fault.kind, `${rule.name} ${fault.text}`, this.#body.subarray(at, end));
    switch (rule.whenMalformed) {
      case 'reset':
        return error;
      case 'withdraw':
        this.#withdraw(error);
        return undefined;
      case 'discard':
        this.#note(`${error.text}: left out`);
        return undefined;
      default:
        return rule.whenMalformed satisfies never;
    }
  }

  /** Family (2), sub-family, length of the next hop, next hop, a byte that means nothing, prefixes (RFC 4760 section 3). */
  #readReach(rule: AttributeRule, at: number, from: number, end: number): MessageError | undefined {
    const bytes = this.#body;
    const fault = (text: string, kind: AttributeFault['kind'] = notifications.optionalAttribute) =>
      this.#malformed(rule, { kind, text }, at, end);
    if (end - from < mpReachLeast) return fault(`has ${end - from} bytes`);
    const nextHopLength = bytes[from + 3]!;
    const routes = from + mpReachLeast + nextHopLength;
    if (routes > end) return fault(`has a next hop of ${nextHopLength} bytes, which runs over it`);
    if (routes < end) this.#reachable = true;
    const family = familyOf(readUint16(bytes, from), bytes[from + 2]!);
    if (family === undefined) return undefined;
    if (!nextHopLengths[family].includes(nextHopLength)) return fault(`has a next hop of ${nextHopLength} bytes`);
    const problem = readPrefixes(bytes, routes, end, family, this.#announced);
    if (problem !== undefined) return fault(`has ${problem}`);
    if (!usableNextHop(bytes, from + 4, nextHopLength)) {
      this.#withdraw(messageError(notifications.invalidNextHop, `${rule.name} has a next hop that is no host`));
    }
    return undefined;
  }

  /** Family (2), sub-family, prefixes (RFC 4760 section 4). */
  #readUnreach(rule: AttributeRule, at: number, from: number, end: number): MessageError | undefined {
    const fault = (text: string) => this.#malformed(rule, { kind: notifications.optionalAttribute, text }, at, end);
    if (end - from < mpUnreachLeast) return fault(`has ${end - from} bytes`);
    const routes = from + mpUnreachLeast;
    const family = familyOf(readUint16(this.#body, from), this.#body[from + 2]!);
    if (family === undefined) return undefined;
    const problem = readPrefixes(this.#body, routes, end, family, this.#withdrawn);
    if (problem !== undefined) return fault(`has ${problem}`);
    if (routes === end) this.#emptyUnreach = family;
    return undefined;
  }

  /** RFC 4271 section 5: with every route; NEXT_HOP with those behind the attributes, LOCAL_PREF within an AS. */
  #requireWellKnown(classic: boolean): void {
    if (!this.#reachable) return;
    this.#require(attributeTypes.origin);
    this.#require(attributeTypes.asPath);
    if (classic) this.#require(attributeTypes.nextHop);
    if (this.#context.external === false) this.#require(attributeTypes.localPref);
  }

  #require(type: number): void {
    if (this.#seen[type] === 1) return;
    const text = `${attributeRules[type]?.name} is missing`;
    this.#withdraw(messageError(notifications.missingWellKnown, text, Uint8Array.of(type)));
  }

  #withdraw(error: MessageError): void {
    this.#withdrawing ??= error;
    this.#note(`${error.text}: its routes count as withdrawn`);
  }

  #note(text: string): void {
    if (this.#faults.length < maxFaults) this.#faults.push(text);
    else this.#faults[maxFaults - 1] = 'and others';
  }
}

/** RFC 7606 section 3 (c): whether it is optional and transitive; the other bits do not matter. */
function flagsFault(rule: AttributeRule, flags: number): AttributeFault | undefined {
  if ((flags & optionalTransitive) === rule.flags) return undefined;
  return { kind: notifications.attributeFlags, text: `has the flags 0x${flags.toString(16).padStart(2, '0')}` };
}

/** With two, one suffices: without a global address, some send none or twice the link-local one. */
function usableNextHop(bytes: Uint8Array, from: number, length: number): boolean {
  if (length === 4) return hostAddress(bytes, from, 4);
  return hostAddress(bytes, from, 16) || (length === 32 && hostAddress(bytes, from + 16, 16));
}

function contradiction(text: string): MessageError {
  return messageError(notifications.malformedAttributeList, text);
}
