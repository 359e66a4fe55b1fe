import { readHeader } from './header.ts';
import { isMessageError, type MessageError } from './message-error.ts';
import { headerBytes } from './wire.ts';

/**
 * Cuts what a connection delivers into messages, by their headers only. It holds the beginning of one message at most,
 * and touches every byte once, however it arrives.
 */
export class MessageFramer {
  /** Messages may have 65,535 bytes: both sides have said so (RFC 8654). */
  extended = false;
  /** Where the stream stopped making sense. Nothing comes after it. */
  fault: MessageError | undefined;
  readonly #header = new Uint8Array(headerBytes);
  /** The message that has begun, of its whole length, once its header is there. */
  #message: Uint8Array | undefined;
  /** Bytes of the header, or of the message, that are there. */
  #filled = 0;

  /**
   * The messages that are now complete. They may share memory with `chunk`: they are to be decoded at once. Those
   * before a fault are returned first, and the fault (which `fault` has at once) by the next call.
   */
  push(chunk: Uint8Array): Uint8Array[] | MessageError {
    if (this.fault !== undefined) return this.fault;
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length && this.fault === undefined) {
      at += this.#filled === 0 ? this.#takeWhole(chunk, at, messages) : this.#takePart(chunk, at, messages);
    }
    return this.fault !== undefined && messages.length === 0 ? this.fault : messages;
  }

  /** A message that is all within the chunk is not copied. Returns how many bytes were taken. */
  #takeWhole(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    if (chunk.length - at < headerBytes) return this.#takePart(chunk, at, messages);
    const header = readHeader(chunk, at, this.extended);
    if (isMessageError(header)) return this.#fail(header);
    if (chunk.length - at < header.length) return this.#takePart(chunk, at, messages);
    messages.push(chunk.subarray(at, at + header.length));
    return header.length;
  }

  #takePart(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    const target = this.#message ?? this.#header;
    const taken = Math.min(target.length - this.#filled, chunk.length - at);
    target.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    if (this.#filled < target.length) return taken;
    if (this.#message === undefined) {
      const header = readHeader(this.#header, 0, this.extended);
      if (isMessageError(header)) return this.#fail(header);
      this.#message = new Uint8Array(header.length);
      this.#message.set(this.#header);
    }
    if (this.#filled === this.#message.length) {
      messages.push(this.#message);
      this.#message = undefined;
      this.#filled = 0;
    }
    return taken;
  }

  #fail(fault: MessageError): 0 {
    this.fault = fault;
    this.#message = undefined;
    return 0;
  }
}
