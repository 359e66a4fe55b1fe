/**
 * The right to write, which may end while a write is being prepared. `holds` is asked again right before the bytes of
 * a write go out: what a timer says is late when the process was stopped.
 */
export type Fence = {
  holds(): boolean;
  /** Aborts when the right has ended. */
  readonly signal: AbortSignal;
};
