/**
 * Program: run on the router, tells its parent again and again which hosts answer. Arguments: PERIOD (milliseconds)
 * NAME=ADDRESS... Sends the NAME for each answer and nothing for silence.
 *
 * A host answers when its kernel does, be it by refusing the connection: no program on the host is needed, so a paused
 * speaker does not look like a dead node, and ICMP, which would need a capability, is not used.
 */
import { createConnection } from 'node:net';
import { systemClock } from '../../runtime/clock.ts';

/** The kubelet's port: where a real control plane would look. */
const port = 10_250;

const [period = '', ...targets] = process.argv.slice(2);

const probe = (name: string, host: string) => {
  const socket = createConnection({ host, port });
  const answered = () => {
    socket.destroy();
    process.send?.(name);
  };
  socket.setTimeout(2 * Number(period), () => socket.destroy());
  socket.on('connect', answered);
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') answered();
  });
};

for (const target of targets) {
  const [name = '', host = ''] = target.split('=');
  probe(name, host);
  systemClock.every(Number(period), () => probe(name, host));
}
process.on('disconnect', () => process.exit(0));
