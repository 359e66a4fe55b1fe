/** Resolves with the name of the first signal that asks the process to stop. A second one ends the process at once. */
export function untilAskedToStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const asked = new Set<NodeJS.Signals>();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked.size > 0) process.exit(1);
        asked.add(signal);
        resolve(signal);
      });
    }
  });
}
