import type { ChildProcess } from 'node:child_process';
import { createServer, Server } from 'node:net';

/**
 * Gives a process inside the lab's user namespace a listening socket on the host's loopback, which it could not open
 * itself: its network is not the host's. The outer process calls handOverLoopbackSocket, the inner one
 * receiveLoopbackSocket, both once.
 */

const label = 'garpoon-lab-listener';

/**
 * Opens a listening socket on 127.0.0.1 (port 0: a free one), passes it to the child, and lets go of it. Returns the
 * port. The child must have been spawned with an IPC channel.
 * @throws Error when the port is taken or the child is gone.
 */
export async function handOverLoopbackSocket(child: ChildProcess, port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  const address = server.address();
  try {
    await new Promise<void>((resolve, reject) => {
      child.send(label, server, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    server.close();
  }
  if (address === null || typeof address === 'string') throw new Error('listen on 127.0.0.1: no port was given');
  return address.port;
}

/** Waits for the socket from the outer process. Attach to its `connection` event before the next await. */
export function receiveLoopbackSocket(): Promise<Server> {
  return new Promise((resolve, reject) => {
    if (!process.connected) return reject(new Error('receive a socket: this process has no channel to a parent'));
    const onMessage = (message: unknown, handle: unknown) => {
      if (message !== label || !(handle instanceof Server)) return;
      process.off('message', onMessage);
      process.off('disconnect', onDisconnect);
      resolve(handle);
    };
    const onDisconnect = () => {
      process.off('message', onMessage);
      reject(new Error('receive a socket: the parent closed the channel'));
    };
    process.on('message', onMessage);
    process.once('disconnect', onDisconnect);
  });
}
