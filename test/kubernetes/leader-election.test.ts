import assert from 'node:assert/strict';
import { isConflict } from '../../src/kubernetes/api-error.ts';
import type { Lease } from '../../src/kubernetes/core.ts';
import type { Fence } from '../../src/kubernetes/fence.ts';
import { defaultElectionTiming, LeaderElection } from '../../src/kubernetes/leader-election.ts';
import { leases } from '../../src/kubernetes/resource.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { system, TestCluster } from '../support/cluster.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { advance, QuietClient } from './quiet-client.ts';

const test = suite('kubernetes/leader-election');
const key = `${system}/garpoon-controller`;

/** A candidate whose machine can be suspended: its timers stand still then, and its uptime does not. */
class Candidate {
  readonly client: QuietClient;
  readonly election: LeaderElection;
  readonly log = new RecordedLog();
  readonly terms: Fence[] = [];
  #suspended = 0;

  constructor(world: World, identity: string) {
    this.client = world.cluster.newClient(QuietClient);
    this.election = new LeaderElection({
      client: this.client,
      lease: key,
      identity,
      onElected: (term) => this.terms.push(term),
      clock: world.clock,
      uptime: () => world.clock.now() + this.#suspended,
      random: seededRandom(identity.length),
      log: this.log,
    });
  }

  suspend(milliseconds: number): void {
    this.#suspended += milliseconds;
  }
}

class World {
  readonly cluster: TestCluster;
  readonly clock = new FakeClock();
  readonly #candidates: Candidate[] = [];

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  candidate(identity: string): Candidate {
    const candidate = new Candidate(this, identity);
    this.#candidates.push(candidate);
    candidate.election.start();
    return candidate;
  }

  /** A candidate that has been elected, and one that follows it. */
  async leaderAndFollower(): Promise<readonly [Candidate, Candidate]> {
    const leader = this.candidate('a');
    await this.pass(100);
    assert.ok(leader.election.isLeader());
    const follower = this.candidate('b');
    await this.pass(100);
    return [leader, follower];
  }

  pass(milliseconds: number): Promise<void> {
    return advance(
      this.clock,
      milliseconds,
      this.#candidates.map(({ client }) => client),
    );
  }

  /** How much virtual time it takes, in steps of 50 ms. */
  async until(condition: () => boolean, limit: number): Promise<number> {
    const begun = this.clock.now();
    while (!condition()) {
      assert.ok(this.clock.now() - begun < limit, `not within ${limit} ms`);
      await this.pass(50);
    }
    return this.clock.now() - begun;
  }

  async lease(): Promise<Lease['spec']> {
    return (await this.cluster.client.get(leases, key))?.spec;
  }

  /** As kill -9: nothing is given back, and nothing is sent any more. */
  kill(candidate: Candidate): void {
    candidate.client.close();
  }

  async stop(): Promise<void> {
    for (const { client } of this.#candidates) client.close();
    const stops = this.#candidates.map(({ election }) => election.stop());
    await this.clock.advance(20_000);
    await Promise.all(stops);
    await this.cluster.stop();
  }
}

function inWorld(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const world = new World(await TestCluster.start());
    try {
      await run(world);
    } finally {
      await world.stop();
    }
  };
}

test(
  'a candidate makes the Lease that is missing, and renews it',
  inWorld(async (world) => {
    const candidate = world.candidate('a');
    await world.pass(100);
    const first = await world.lease();
    assert.equal(first?.holderIdentity, 'a');
    assert.equal(first?.leaseDurationSeconds, 15);
    assert.equal(first?.leaseTransitions, 0);
    await world.pass(60_000);
    const later = await world.lease();
    assert.equal(later?.acquireTime, first?.acquireTime);
    assert.ok(Date.parse(later?.renewTime ?? '') - Date.parse(first?.renewTime ?? '') >= 58_000);
    assert.equal(candidate.terms.length, 1);
    assert.equal(candidate.terms[0]?.signal.aborted, false);
  }),
);

test(
  'of candidates that begin together one leads',
  inWorld(async (world) => {
    const candidates = ['a', 'bb', 'ccc', 'dddd'].map((identity) => world.candidate(identity));
    await world.pass(60_000);
    assert.equal(candidates.filter(({ election }) => election.isLeader()).length, 1);
    assert.equal((await world.lease())?.leaseTransitions, 0);
  }),
);

test(
  'a leader that was killed is replaced 15 s after its last renewal',
  inWorld(async (world) => {
    const [leader, follower] = await world.leaderAndFollower();
    await world.pass(10_000);
    const renewed = Date.parse((await world.lease())?.renewTime ?? '');
    await eventually('the follower has heard of the last renewal', async () => follower.client.isQuiet);
    world.kill(leader);
    const took = await world.until(() => follower.election.isLeader(), 20_000);
    const sinceRenewal = world.clock.wallTime() - renewed;
    assert.ok(sinceRenewal >= 15_000, `taken ${sinceRenewal} ms after the last renewal`);
    assert.ok(took <= 15_000 + defaultElectionTiming.retryPeriod, `${took} ms`);
    assert.equal((await world.lease())?.leaseTransitions, 1);
    assert.ok(!leader.election.isLeader());
    assert.ok(leader.terms[0]?.signal.aborted);
  }),
);

test(
  'a leader that stops is replaced at once',
  inWorld(async (world) => {
    const [leader, follower] = await world.leaderAndFollower();
    await world.pass(5_000);
    // No virtual time passes: it is the watch that tells.
    const begun = performance.now();
    await leader.election.stop();
    await eventually('the follower leads', () => follower.election.isLeader(), 1_000);
    assert.ok(performance.now() - begun < 1_000);
    assert.ok(leader.terms[0]?.signal.aborted);
    const { holderIdentity, leaseTransitions } = (await world.lease()) ?? {};
    assert.deepEqual({ holderIdentity, leaseTransitions }, { holderIdentity: 'b', leaseTransitions: 1 });
  }),
);

test(
  'a Lease that was deleted is taken at once, by its leader or by another',
  inWorld(async (world) => {
    const [leader, follower] = await world.leaderAndFollower();
    await world.cluster.client.delete(leases, key);
    await eventually('somebody holds it again', async () => (await world.lease())?.holderIdentity !== undefined);
    await world.pass(20_000);
    assert.equal([leader, follower].filter(({ election }) => election.isLeader()).length, 1);
  }),
);

test(
  'while the API server is away the leader leads until its deadline, and again when it is back',
  inWorld(async (world) => {
    const [leader, follower] = await world.leaderAndFollower();
    await world.cluster.away();
    await world.pass(7_500);
    assert.ok(leader.election.isLeader());
    await world.pass(2_600);
    assert.ok(!leader.election.isLeader());
    assert.ok(leader.terms[0]?.signal.aborted);
    await world.pass(60_000);
    assert.ok(!follower.election.isLeader());
    await world.cluster.back();
    await world.until(() => leader.election.isLeader() || follower.election.isLeader(), 5_000);
    assert.equal([leader, follower].filter(({ election }) => election.isLeader()).length, 1);
    assert.equal(leader.log.of('lease not reached').length, 1);
    assert.equal(leader.log.of('no longer the leader').length, 1);
  }),
);

test(
  'an API server that answers nothing costs the leader its term, too',
  inWorld(async (world) => {
    const leader = world.candidate('a');
    await world.pass(100);
    world.cluster.api.faults.pause();
    for (let i = 0; i < 101; i++) await world.clock.advance(100);
    assert.ok(!leader.election.isLeader());
    world.cluster.api.faults.resume();
    await world.until(() => leader.election.isLeader(), 10_000);
    assert.equal(leader.terms.length, 2);
  }),
);

test(
  'somebody else’s change of the Lease costs no term',
  inWorld(async (world) => {
    const [leader] = await world.leaderAndFollower();
    for (let i = 0; i < 3; i++) {
      await world.cluster.change(leases, key, (lease) => ({
        ...lease,
        metadata: { ...lease.metadata, annotations: { seen: String(i) } },
      }));
      await world.pass(2_500);
    }
    assert.ok(leader.election.isLeader());
    assert.equal(leader.terms.length, 1);
    assert.deepEqual(leader.log.of('lease not reached'), []);
  }),
);

test(
  'a leader whose Lease names another ends its term',
  inWorld(async (world) => {
    const leader = world.candidate('a');
    await world.pass(100);
    await world.cluster.change(leases, key, (lease) => ({
      ...lease,
      spec: { ...lease.spec, holderIdentity: 'other' },
    }));
    await eventually('the term has ended', () => leader.terms[0]?.signal.aborted);
    assert.equal(leader.log.of('no longer the leader')[0]?.reason, 'taken by other');
    await world.pass(14_500);
    assert.ok(!leader.election.isLeader());
    await world.pass(3_000);
    assert.ok(leader.election.isLeader());
  }),
);

for (const { frozen, otherLeads } of [
  { frozen: 5_000, otherLeads: false },
  { frozen: 12_000, otherLeads: false },
  { frozen: 60_000, otherLeads: true },
]) {
  test(
    `a leader that was frozen for ${frozen / 1_000} s ${frozen > 10_000 ? 'may write nothing' : 'goes on'} when it runs again`,
    inWorld(async (world) => {
      const leader = world.candidate('a');
      await world.pass(100);
      const writer = leader.client.fencedBy(leader.terms[0]!);
      leader.suspend(frozen);
      if (otherLeads) {
        const holderIdentity = 'other';
        await world.cluster.change(leases, key, (lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity } }));
      }
      // Not one of its timers has run yet.
      assert.equal(leader.election.isLeader(), frozen < 10_000);
      const write = writer.create(leases, { metadata: { namespace: system, name: 'written' } });
      if (frozen < 10_000) await write;
      else
        await assert.rejects(write, /create leases metallb-system\/written: (the right to write has ended|aborted)$/);
      assert.equal((await world.cluster.client.get(leases, `${system}/written`)) === undefined, frozen > 10_000);
      await world.pass(2_000);
      assert.equal(leader.terms[0]?.signal.aborted, frozen > 10_000);
      await world.pass(10_000);
      assert.equal(leader.election.isLeader(), !otherLeads);
      assert.equal(leader.terms.length, frozen > 10_000 && !otherLeads ? 2 : 1);
    }),
  );
}

test(
  'a candidate that was frozen does not take a Lease that was renewed meanwhile',
  inWorld(async (world) => {
    const [leader, follower] = await world.leaderAndFollower();
    follower.suspend(60_000);
    await world.pass(5_000);
    assert.ok(leader.election.isLeader());
    assert.ok(!follower.election.isLeader());
  }),
);

test(
  'the clock of the one who wrote the Lease does not matter',
  inWorld(async (world) => {
    const renewTime = '1999-01-01T00:00:00.000000Z';
    const spec = { holderIdentity: 'other', leaseDurationSeconds: 30, renewTime, acquireTime: renewTime };
    await world.cluster.put(leases, { metadata: { namespace: system, name: 'garpoon-controller' }, spec });
    const candidate = world.candidate('a');
    await world.pass(29_500);
    assert.ok(!candidate.election.isLeader());
    await world.pass(1_000);
    assert.ok(candidate.election.isLeader());
  }),
);

test(
  'a write with an old resourceVersion is refused, so that two that take it at once are one',
  inWorld(async (world) => {
    const spec = { holderIdentity: '', leaseDurationSeconds: 1 };
    const free = await world.cluster.put(leases, { metadata: { namespace: system, name: 'garpoon-controller' }, spec });
    await world.cluster.client.update(leases, { ...free, spec: { ...spec, holderIdentity: 'x' } });
    await assert.rejects(
      world.cluster.client.update(leases, { ...free, spec: { ...spec, holderIdentity: 'y' } }),
      isConflict,
    );
  }),
);

test(
  'stopping with the API server away takes no longer than a retry',
  inWorld(async (world) => {
    const leader = world.candidate('a');
    await world.pass(100);
    world.cluster.api.faults.pause();
    const stopped = leader.election.stop();
    await world.clock.advance(defaultElectionTiming.retryPeriod);
    await stopped;
    assert.equal(leader.log.of('lease not given back').length, 1);
    world.cluster.api.faults.resume();
  }),
);

test('timing that would let two lead is refused', () => {
  const options = { ...defaultElectionTiming, renewDeadline: 15_000 };
  const cluster = { client: undefined as never, lease: key, identity: 'a', onElected: () => {} };
  const edge = { clock: new FakeClock(), uptime: () => 0, random: seededRandom(1), log: new RecordedLog() };
  assert.throws(() => new LeaderElection({ ...cluster, ...edge, timing: options }), RangeError);
});
