// The other end of a connection, in a process of its own: listens as its argument says, writes a line when it does and
// one for every connection ("from ADDRESS") and what comes through it ("read TEXT"), and sends back what it reads.
import { createServer } from 'node:net';
import { parseAddress } from '../../src/ip/address.ts';
import { listenTcp } from '../../src/layer2/tcp.ts';

export type TcpPeerWish = {
  readonly address: string;
  readonly port: number;
  readonly peers?: readonly {
    readonly address: string;
    readonly password?: string;
    readonly ttl?: number;
    readonly minimumTtl?: number;
  }[];
};

const { address, port, peers = [] } = JSON.parse(process.argv[2]!) as TcpPeerWish;
const fd = listenTcp({
  address: parseAddress(address)!,
  port,
  peers: peers.map((peer) => ({ ...peer, address: parseAddress(peer.address)! })),
});
const server = createServer((socket) => {
  console.log(`from ${socket.remoteAddress}`);
  socket.on('data', (bytes) => {
    console.log(`read ${bytes}`);
    socket.write(bytes);
  });
  socket.on('error', (error) => console.log(`error ${Reflect.get(error, 'code')}`));
});
server.listen({ fd }, () => console.log('listening'));
process.stdin.on('end', () => process.exit()).resume();
