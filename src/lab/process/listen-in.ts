import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Server } from 'node:net';
import { commandEnvironment } from './command.ts';
import { inNamespace } from './namespace.ts';
import { programArgv } from './program.ts';

/**
 * Opens a listening TCP socket inside another network namespace and brings it into this process: a socket belongs to
 * the network it was created in, whoever holds it. A short-lived child creates it there and passes the descriptor over
 * its IPC channel. Port 0 takes a free one.
 *
 * The server accepts from the moment it is returned: attach to its `connection` event before the next await, e.g.
 * `server.on('connection', (socket) => http.emit('connection', socket))`. Closing it closes the socket.
 * @throws Error with code `LISTEN_REFUSED` when the address cannot be bound there.
 */
export async function listenIn(
  namespace: string,
  at: { readonly host: string; readonly port: number },
): Promise<Server> {
  const [program = '', ...rest] = inNamespace(namespace, programArgv('namespace-listener'));
  const child = spawn(program, rest, { env: commandEnvironment(), stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  child.on('error', () => {}); // `answer` looks at the same event
  try {
    child.send(at, () => {}); // a child that cannot be written to has ended, which `answer` sees
    return await answer(child);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new Error(`listen on ${at.host} port ${at.port} in namespace ${namespace}: ${reason}`, { cause });
    throw Object.assign(error, { code: 'LISTEN_REFUSED' });
  } finally {
    if (child.connected) child.disconnect();
  }
}

async function answer(child: ChildProcess): Promise<Server> {
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk;
  });
  const ended = once(child, 'close').then(() => [complaint.trim() || 'the helper ended without an answer', undefined]);
  const [message, handle] = await Promise.race([once(child, 'message'), ended]);
  if (handle instanceof Server) return handle;
  throw new Error(typeof message === 'string' ? message : String((message as { failed?: unknown }).failed));
}
