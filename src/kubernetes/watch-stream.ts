import { ApiError } from './api-error.ts';
import type { KubernetesObject, Status } from './core.ts';

/** The longest line of a watch. The API server stores no object above 3 MiB, and JSON may write it twice as long. */
export const maxLineBytes = 8 * 1024 * 1024;

export type WatchEvent<T extends KubernetesObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: Status };

const lineFeed = 0x0a;
const types: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/**
 * The events of a watch, one JSON text per line, in batches as the bytes come. A line that the end of the connection
 * cuts off is dropped: the next watch brings it again. Throws ApiError (`garbled`, `too-large`) on a line that cannot
 * be read.
 */
export async function* watchEvents<T extends KubernetesObject>(
  action: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly WatchEvent<T>[]> {
  /** The beginning of a line whose end has not come yet. */
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    const events: WatchEvent<T>[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString();
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.trim() !== '') events.push(parseEvent<T>(action, line));
    }
    const rest = chunk.subarray(start);
    pendingBytes += rest.length;
    if (pendingBytes > maxLineBytes) {
      throw new ApiError(action, `a line passes ${maxLineBytes} bytes`, { code: 'too-large' });
    }
    if (rest.length > 0) pending.push(rest);
    if (events.length > 0) yield events;
  }
}

function parseEvent<T extends KubernetesObject>(action: string, line: string): WatchEvent<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw new ApiError(action, `a line of ${line.length} characters is no JSON`, { code: 'garbled', cause });
  }
  if (!isEvent<T>(parsed)) {
    throw new ApiError(action, `a line is no watch event: ${line.slice(0, 100)}`, { code: 'garbled' });
  }
  return parsed;
}

function isEvent<T extends KubernetesObject>(value: unknown): value is WatchEvent<T> {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('object' in value)) return false;
  const { type, object } = value;
  if (typeof type !== 'string' || !types.has(type) || typeof object !== 'object' || object === null) return false;
  if (type === 'ERROR') return true;
  const metadata = 'metadata' in object ? object.metadata : undefined;
  return typeof metadata === 'object' && metadata !== null;
}
