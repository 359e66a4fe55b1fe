/**
 * Program: a client that asks every address over so many flows, in turn. Arguments: FLOWS RATE PORT ADDRESS…, the rate for
 * each address in requests a second. Says 'asking', and then a line for each request once it is known what became of it:
 *   index of the address, index of the flow, when it was sent and answered (0: never; milliseconds since 1970), by whom
 * Ends when its standard input does, after waiting a moment for answers on their way.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const [flows, rate, port] = process.argv.slice(2, 5).map(Number) as [number, number, number];
const addresses = process.argv.slice(5);
const settle = 300;

const waiting = new Map<string, { readonly target: number; readonly flow: number; readonly sent: number }>();
const now = () => performance.timeOrigin + performance.now();

const sockets = await Promise.all(
  addresses.map((address) =>
    Promise.all(
      Array.from({ length: flows }, async () => {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
        socket.on('message', (datagram) => answered(String(datagram)));
        // Of a request that could not be sent nothing comes back.
        socket.on('error', () => {});
        socket.bind();
        await once(socket, 'listening');
        return socket;
      }),
    ),
  ),
);

let asked = 0;
const begun = now();
const timer = setInterval(() => {
  // Whatever is overdue goes out at once: no request is left out.
  for (const due = ((now() - begun) / 1000) * rate; asked < due; asked++) {
    for (const [target, address] of addresses.entries()) {
      const flow = asked % flows;
      const id = `${asked}-${target}`;
      waiting.set(id, { target, flow, sent: now() });
      sockets[target]![flow]!.send(id, port, address, () => {});
    }
  }
}, 2);
console.log('asking');

process.stdin.resume().on('end', () => {
  clearInterval(timer);
  setTimeout(() => {
    for (const { target, flow, sent } of waiting.values()) console.log(`${target} ${flow} ${sent} 0`);
    process.exitCode = 0;
    for (const socket of sockets.flat()) socket.close();
    process.stdin.destroy();
  }, settle);
});

function answered(datagram: string): void {
  const [id = '', name] = datagram.split(' ');
  const request = waiting.get(id);
  if (request === undefined) return;
  waiting.delete(id);
  console.log(`${request.target} ${request.flow} ${request.sent} ${now()} ${name}`);
}
