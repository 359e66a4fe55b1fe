import { type Clock, timestamp } from '../runtime/clock.ts';
import type { LogFields, Logger } from '../runtime/logger.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'none'] as const;
export type LogLevel = (typeof logLevels)[number];

export type JsonLoggerOptions = {
  readonly clock: Clock;
  /** Lines below this level are dropped. */
  readonly level: LogLevel;
  /** Takes one whole line with its line feed. */
  readonly write: (line: string) => void;
  readonly fields?: LogFields;
};

/**
 * One JSON object per line: `ts` (RFC 3339, UTC), `level`, `event`, then the fields. An Error becomes its message with
 * the messages of its causes; a bigint becomes a decimal string; a Set or Map becomes an array.
 */
export function jsonLogger(options: JsonLoggerOptions): Logger {
  const { clock, level, write, fields: own } = options;
  const lowest = logLevels.indexOf(level);
  const line = (name: LogLevel) => (event: string, fields?: LogFields) => {
    if (logLevels.indexOf(name) < lowest) return;
    write(`${JSON.stringify({ ts: timestamp(clock), level: name, event, ...own, ...fields }, printable)}\n`);
  };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => jsonLogger({ ...options, fields: { ...own, ...fields } }),
  };
}

/** An error's message followed by those of its causes: `list services: connect ECONNREFUSED 198.18.0.1:6443`. */
function errorText(thrown: unknown): string {
  const messages: string[] = [];
  for (let error = thrown; error !== undefined && messages.length < 8; ) {
    const message = error instanceof Error ? error.message : String(error);
    if (!messages.some((earlier) => earlier.includes(message))) messages.push(message);
    error = error instanceof Error ? error.cause : undefined;
  }
  return messages.join(': ');
}

function printable(_key: string, value: unknown): unknown {
  if (value instanceof Error) return errorText(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Set || value instanceof Map) return [...value];
  return value;
}
