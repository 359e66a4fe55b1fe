/**
 * Program: what answers on a node for a Service. Arguments: NAME PORT ADDRESS…. Sends every datagram back with its name
 * behind it. Says 'listening', and ends when its standard input does.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const [name = '', port, ...addresses] = process.argv.slice(2);
for (const address of addresses) {
  // By its address, or it would answer from another.
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (datagram, client) => socket.send(`${datagram} ${name}`, client.port, client.address));
  socket.bind({ address, port: Number(port) });
  await once(socket, 'listening');
}
console.log('listening');
process.stdin.resume().on('end', () => process.exit(0));
