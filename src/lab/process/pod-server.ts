/**
 * Program: what a Pod of the lab runs, whatever its image. Arguments: NAME PORT..., or PORT/udp. On a port an HTTP server
 * answers each request with one line, `NAME saw CLIENT`; on a UDP port each datagram is sent back as it came. Tells its
 * parent 'listening' when every port is open.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';

const [name = '', ...ports] = process.argv.slice(2);

const opened = ports.map((text) => {
  const [port, protocol] = text.split('/');
  return protocol === 'udp' ? echo(Number(port)) : serve(Number(port));
});

await Promise.all(opened);
process.send?.('listening');
process.on('disconnect', () => process.exit(0));

function serve(port: number): Promise<unknown> {
  const server = createServer((request, response) => {
    // On a dual-stack socket an IPv4 client appears as ::ffff:192.0.2.1.
    const client = request.socket.remoteAddress?.replace(/^::ffff:/, '');
    // One connection per request, so that every request is a new choice of pod.
    response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' });
    response.end(`${name} saw ${client}\n`);
  });
  server.listen({ host: '::', port });
  return once(server, 'listening');
}

function echo(port: number): Promise<unknown> {
  const socket = createSocket('udp6');
  socket.on('message', (datagram, client) => socket.send(datagram, client.port, client.address));
  socket.bind({ address: '::', port });
  return once(socket, 'listening');
}
