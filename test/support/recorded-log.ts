import type { LogFields, Logger } from '../../src/runtime/logger.ts';

export type LogLine = { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly event: string } & LogFields;

/** A logger that keeps its lines, those of loggers made from it included. */
export class RecordedLog implements Logger {
  readonly #lines: LogLine[];
  readonly #fields: LogFields;

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.#lines = lines;
    this.#fields = fields;
  }

  /** The lines of an event so far. */
  of(event: string): readonly LogLine[] {
    return this.#lines.filter((line) => line.event === event);
  }

  debug(event: string, fields?: LogFields): void {
    this.#add('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#add('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#add('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#add('error', event, fields);
  }

  with(fields: LogFields): Logger {
    return new RecordedLog(this.#lines, { ...this.#fields, ...fields });
  }

  #add(level: LogLine['level'], event: string, fields: LogFields = {}): void {
    this.#lines.push({ ...this.#fields, ...fields, level, event });
  }
}
