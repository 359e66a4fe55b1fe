/** What a log line carries beside its event. Values are printed as JSON; an Error is printed as its message and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where a module says what it does. `event` is a constant; what varies goes into `fields`. One line per change of
 * state. Implemented by `src/telemetry`; tests pass their own.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};
