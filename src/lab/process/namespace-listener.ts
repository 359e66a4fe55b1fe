/**
 * Program: opens a listening TCP socket in the namespace it is run in and hands it to its parent. The parent speaks
 * first with {host, port}; the answer is 'listening' with the socket, or {failed}. See listenIn.
 */
import { createServer } from 'node:net';

process.once('message', (request: { host: string; port: number }) => {
  const server = createServer();
  server.on('error', (error) => process.send?.({ failed: error.message }, () => process.exit(1)));
  server.listen({ host: request.host, port: request.port, backlog: 1024 }, () => {
    process.send?.('listening', server);
  });
});
// The parent lets go of the channel as soon as it holds the socket, or when it dies.
process.on('disconnect', () => process.exit(0));
