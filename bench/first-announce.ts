import { ipAddressPools, l2Advertisements } from '../src/kubernetes/config-kinds.ts';
import type { EndpointSlice, Service } from '../src/kubernetes/core.ts';
import { Reflector } from '../src/kubernetes/reflector.ts';
import { endpointSlices, keyOf, services } from '../src/kubernetes/resource.ts';
import { Store } from '../src/kubernetes/store.ts';
import { systemNamespace } from '../src/lab/garpoon-processes.ts';
import { Lab } from '../src/lab/lab.ts';
import { client as clientHost } from '../src/lab/network/topology.ts';
import { inNamespace } from '../src/lab/process/namespace.ts';
import { defaultStateDirectory } from '../src/lab/process/run-directory.ts';
import { sleep, systemClock } from '../src/runtime/clock.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { systemRandom } from '../src/runtime/random.ts';
import { eventually } from '../test/support/eventually.ts';
import { PacketIo } from '../test/support/packet-io.ts';
import { arpOperation, arpRequest, type Frame } from '../test/support/packets.ts';
import { long, median, progress, reporter } from './bench.ts';

/**
 * From the moment a Service is created to the first ARP answer for its address, in the lab: controller, speakers, API
 * server and LAN as real processes and packets. The client asks every millisecond. The baseline is what the API server
 * alone takes to tell a watcher of a new Service; the product needs that twice, for the Service and for its status.
 */
const report = reporter('first-announce');
const rounds = long ? 100 : 20;
/** Between two rounds, until statuses and events of the last one are written; milliseconds. */
const settle = 1_000;
const address = '198.18.0.100';
/** Endpoints that serve, there before the Service is. */
const slice: EndpointSlice = {
  metadata: { namespace: 'default', name: 'bench', labels: { 'kubernetes.io/service-name': 'bench' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['198.19.1.9'], nodeName: 'n1', conditions: { ready: true } }],
};
const service: Service = {
  metadata: { namespace: 'default', name: 'bench' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
};

const lab = await Lab.start({
  state: defaultStateDirectory(),
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
});
const wire = await PacketIo.open(
  { command: (...argv) => [...inNamespace(lab.network.namespace('client'), argv)] },
  'eth0',
);
const watched = new Store<Service>({ log: silentLogger });
const watcher = new Reflector({
  client: lab.client,
  resource: services,
  store: watched,
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
});
try {
  await lab.client.create(ipAddressPools, {
    metadata: { namespace: systemNamespace, name: 'bench' },
    spec: { addresses: [`${address}/32`] },
  });
  await lab.client.create(l2Advertisements, { metadata: { namespace: systemNamespace, name: 'bench' }, spec: {} });
  await lab.client.create(endpointSlices, slice);
  watcher.start();
  await watcher.synced;
  // The first round loads code and opens connections; it is not counted.
  await round();
  const announced: number[] = [];
  const seen: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await sleep(systemClock, settle);
    const { answered, watchedAfter } = await round();
    announced.push(answered);
    seen.push(watchedAfter);
    progress(`round ${i + 1} of ${rounds}: ${answered.toFixed(1)} ms`);
  }
  report({
    case: 'service-created-to-arp-answer/p50',
    value: median(announced),
    unit: 'ms',
    better: 'lower',
    baseline: median(seen),
    against: 'service-created-to-seen-by-a-watcher',
  });
  report({
    case: 'service-created-to-arp-answer/worst',
    value: Math.max(...announced),
    unit: 'ms',
    better: 'lower',
    baseline: Math.max(...seen),
    against: 'service-created-to-seen-by-a-watcher',
  });
} finally {
  await watcher.stop();
  await wire.close();
  await lab.close();
}

/** Creates the Service, waits for the answer, deletes it, and waits until nobody answers. Milliseconds. */
async function round(): Promise<{ answered: number; watchedAfter: number }> {
  let watchedAt = 0;
  const unsubscribe = watched.onChange((key, now) => {
    if (key === keyOf(service) && now !== undefined && watchedAt === 0) watchedAt = performance.now();
  });
  wire.clear();
  const asking = systemClock.every(1, () => wire.send(request()));
  const created = Date.now(); // the clock of the kernel's time stamps
  const begun = performance.now();
  await lab.client.create(services, service);
  const answered = (await wire.receive('an ARP answer', isAnswer, { since: created, limit: 10_000 })).arrival - created;
  asking.cancel();
  unsubscribe();
  await lab.client.delete(services, keyOf(service));
  await eventually('nobody answers any more', async () => {
    wire.clear();
    wire.send(request());
    await sleep(systemClock, 20);
    return wire.take(isAnswer) === undefined && watched.get(keyOf(service)) === undefined;
  });
  return { answered, watchedAfter: watchedAt - begun };
}

function request() {
  const { mac, address: own } = clientHost;
  return arpRequest({ senderMac: mac, senderAddress: own.v4, targetAddress: address });
}

/** A reply to the client, not an announcement to everyone. */
function isAnswer(frame: Frame): boolean {
  return (
    frame.kind === 'arp' &&
    frame.operation === arpOperation.reply &&
    frame.senderAddress === address &&
    frame.destination === clientHost.mac
  );
}
