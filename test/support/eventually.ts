/** Runs until `condition` returns something truthy, or fails naming `what` after `limit` milliseconds. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  limit = 10_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + limit;
  let last: unknown;
  for (;;) {
    try {
      last = await within(limit, 'the condition did not settle', condition);
      if (last) return last as NonNullable<T>;
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${limit} ms: ${what}`, { cause: toError(last) });
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What `body` returns, or an Error saying `otherwise` when that takes longer than `limit` milliseconds. */
export async function within(limit: number, otherwise: string, body: () => unknown): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), limit);
  });
  try {
    return await Promise.race([Promise.resolve().then(body), expired]);
  } finally {
    clearTimeout(timer);
  }
}

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`not an Error: ${String(thrown)}`);
}
