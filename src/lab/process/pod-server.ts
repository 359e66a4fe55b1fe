/**
 * Program: what a Pod of the lab runs, whatever its image: an HTTP server that answers each request with one line,
 * `NAME saw CLIENT`. Arguments: NAME PORT... Tells its parent 'listening' when every port is open.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';

const [name = '', ...ports] = process.argv.slice(2);

const opened = ports.map((port) => {
  const server = createServer((request, response) => {
    // On a dual-stack socket an IPv4 client appears as ::ffff:192.0.2.1.
    const client = request.socket.remoteAddress?.replace(/^::ffff:/, '');
    // One connection per request, so that every request is a new choice of pod.
    response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' });
    response.end(`${name} saw ${client}\n`);
  });
  server.listen({ host: '::', port: Number(port) });
  return once(server, 'listening');
});

await Promise.all(opened);
process.send?.('listening');
process.on('disconnect', () => process.exit(0));
