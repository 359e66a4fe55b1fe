import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceL2Statuses } from '../../src/kubernetes/config-kinds.ts';
import { blockEventLoop, powerOff, powerOn, saturate } from '../../src/lab/failures.ts';
import { systemNamespace } from '../../src/lab/garpoon-processes.ts';
import { sleep, systemClock } from '../../src/runtime/clock.ts';
import { netSuite } from '../support/net-suite.ts';
import { outageOf } from '../support/outage.ts';
import { ServedLab } from '../support/served-lab.ts';
import { movedAddresses, type Sighting } from '../support/sightings.ts';
import { eventually } from '../support/suite.ts';

/** The product in the lab, under what happens to nodes and speakers. The tests build on each other. */
const test = netSuite('lab/failures');
const state = mkdtempSync(join(tmpdir(), 'garpoon-failures-'));
let served: ServedLab;
let owners: ReadonlyMap<number, string>;

test.before(async () => {
  served = await ServedLab.start({ state, addresses: 6 });
});
test.before.each(async () => {
  owners = await served.settled();
});
test.after(async () => {
  await served.close();
  assert.deepEqual(readdirSync(state), []);
  rmSync(state, { recursive: true });
});

type Noticed = { readonly lost: number; readonly moved: number; readonly sightings: readonly Sighting[] };

/** What a client that asks for all addresses notices while `happens` happens, and until all are served again. */
async function during(happens: () => Promise<unknown>): Promise<Noticed> {
  const watch = await served.watch(20);
  const asker = await served.ask(20);
  await eventually('every address is served', () => asker.servedUntil() > 0);
  await happens();
  const since = Date.now();
  await eventually('every address is served again', () => asker.servedUntil() > since);
  const requests = await asker.stop();
  const sightings = await watch.stop();
  const lost = [...requests.values()].reduce((sum, own) => sum + outageOf(own).lost, 0);
  return { lost, moved: movedAddresses(sightings), sightings };
}

/** Resolves when other nodes answer for what the node had. */
async function takenOverFrom(node: string): Promise<void> {
  const watch = await served.watch(20);
  const theirs = [...owners].filter(([, owner]) => owner === node).map(([target]) => target);
  const away = () => theirs.every((target) => ![undefined, served.macOf(node)].includes(watch.owners().get(target)));
  await eventually(`others answer for what ${node} had`, away, 20_000).finally(() => watch.stop());
}

const busiest = () => {
  const count = (node: string) => [...owners.values()].filter((owner) => owner === node).length;
  return served.nodes.toSorted((a, b) => count(b) - count(a))[0]!;
};

test('every address is served by one node, and nothing is lost while nothing happens', async () => {
  assert.equal(owners.size, 6);
  const { lost, moved } = await during(() => sleep(systemClock, 500));
  assert.deepEqual({ lost, moved }, { lost: 0, moved: 0 });
}, 60_000);

test('a speaker that ends in good order loses no request', async () => {
  const node = busiest();
  const { lost, moved } = await during(async () => {
    await served.lab.garpoon.kill(node, 'SIGTERM');
    await takenOverFrom(node);
  });
  assert.equal(lost, 0);
  assert.ok(moved > 0);
  await served.lab.garpoon.start(node);
}, 60_000);

test('a speaker that its DaemonSet starts again keeps its addresses, and loses no request', async () => {
  const node = busiest();
  await served.putBehindDaemonSet();
  const { lost, moved } = await during(async () => {
    await served.lab.garpoon.kill(node, 'SIGTERM');
    await served.lab.garpoon.start(node);
    await served.ready(node);
  });
  assert.deepEqual({ lost, moved }, { lost: 0, moved: 0 });
  await served.takeFromDaemonSet();
}, 60_000);

test('who takes over says from whom, and that another speaker has found it on the LAN', async () => {
  const node = busiest();
  const theirs = [...owners].filter(([, owner]) => owner === node).map(([target]) => served.addresses[target]);
  await powerOff(served.lab, node);
  await takenOverFrom(node);
  const told = async () => {
    const statuses = (await served.lab.client.list(serviceL2Statuses, { namespace: systemNamespace })).items ?? [];
    const answered = statuses.flatMap(({ status }) => (status?.addresses ?? []).map((one) => ({ ...status, ...one })));
    const taken = answered.filter(({ address, node: owner }) => theirs.includes(address) && owner !== node);
    return taken.length === theirs.length && taken.every(({ verified }) => verified !== undefined) ? taken : undefined;
  };
  const taken = await eventually('all are verified', told, 20_000);
  await powerOn(served.lab, node);
  for (const { previousOwner, verified, node: owner } of taken ?? []) {
    assert.equal(previousOwner, node);
    assert.equal(verified?.mac, served.macOf(owner ?? ''));
    assert.ok(verified !== undefined && ![node, owner].includes(verified.by), verified?.by);
  }
}, 90_000);

test('the addresses of a killed speaker are taken over', async () => {
  const node = busiest();
  await during(async () => {
    await served.lab.garpoon.kill(node);
    await takenOverFrom(node);
  });
  await served.lab.garpoon.start(node);
}, 60_000);

test('the addresses of a node without power are taken over, though the API says nothing of it', async () => {
  const node = busiest();
  const { lost } = await during(async () => {
    await powerOff(served.lab, node);
    await takenOverFrom(node);
  });
  assert.ok(lost > 0, 'nothing answered in between');
  assert.equal(served.lab.garpoon.isRunning(node), false);
  await powerOn(served.lab, node);
}, 60_000);

test('the addresses of a drained node are taken over', async () => {
  const node = busiest();
  await during(async () => {
    await served.drain(node);
    await takenOverFrom(node);
  });
  await served.undrain(node);
}, 60_000);

test('two nodes that do not hear each other keep their addresses while a third hears both', async () => {
  const [one, other, third] = served.nodes as [string, string, string];
  const reaches = async (from: string, to: string) => {
    const { address } = served.lab.network.node(to);
    return (await served.lab.network.exec(from, ['ping', '-n', '-c', '1', '-W', '1', address.v4])).status === 0;
  };
  const { lost, moved } = await during(async () => {
    await served.lab.network.partition(one, other);
    assert.equal(await reaches(one, other), false);
    assert.deepEqual([await reaches(one, third), await reaches(third, other)], [true, true]);
    await sleep(systemClock, 3_000);
  });
  await served.lab.network.heal();
  assert.ok(await reaches(one, other));
  assert.deepEqual({ lost, moved }, { lost: 0, moved: 0 });
}, 60_000);

test('a speaker whose event loop is kept busy keeps its addresses', async () => {
  const node = busiest();
  const { lost, moved } = await during(async () => {
    const begun = performance.now();
    await blockEventLoop(served.lab, node, 1_000);
    assert.ok(performance.now() - begun >= 1_000);
  });
  assert.deepEqual({ lost, moved }, { lost: 0, moved: 0 });
}, 60_000);

test('busy processors do not move an address', async () => {
  const { moved } = await during(() => saturate(served.lab, 2_000));
  assert.equal(moved, 0);
}, 60_000);
