// Starts a router of each kind, says what there is of them, and waits to be killed: see ../routers.test.ts.
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { BgpBed } from '../bgp-bed.ts';
import { routerKinds } from './kinds.ts';
import { createRunDirectory } from './run-directory.ts';

const bed = BgpBed.create({ nodes: routerKinds.length });
for (const [i, kind] of routerKinds.entries()) {
  const neighbor = { address: bed.routerAddresses[4], asn: 64500, families: [4] as const };
  const addresses = bed.nodeAddresses(i);
  await kind.start({ netns: bed.nodes[i]!, asn: 64512, routerId: addresses[4], addresses, neighbors: [neighbor] });
}
const root = dirname(createRunDirectory('none'));
const namespaces = [...bed.nodes, bed.router, bed.between].map(({ name }) => name);
console.log(JSON.stringify({ root, pids: readdirSync(`${root}/pids`).map(Number), namespaces }));
setInterval(() => {}, 1_000_000);
