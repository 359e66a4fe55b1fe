import assert from 'node:assert/strict';
import { type Address, formatAddress, parseAddress } from '../../src/ip/address.ts';
import { type Prefix, parsePrefix } from '../../src/ip/prefix.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import type { NodeReport } from '../../src/speaker/node-report.ts';
import { Verifier } from '../../src/speaker/verification.ts';
import { VerifiedClaims } from '../../src/speaker/verified-claims.ts';
import { verifiersOf } from '../../src/speaker/verifiers.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('speaker/verification');

const address = (text: string) => parseAddress(text)!;
const printer = '02:00:00:00:00:99';
const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text);
  if (typeof parsed === 'string') throw new Error(`${text}: ${parsed}`);
  return parsed;
};
const lan = prefix('192.0.2.0/24');
const rack = prefix('198.18.0.0/24');

const macOf = (node: string) => `02:00:00:00:00:${node.charCodeAt(node.length - 1).toString(16)}`;

/** The verifier and the judge of one node, and what it did. */
type Station = { readonly verifier: Verifier; readonly claims: VerifiedClaims; readonly asked: string[] };

/** Speakers on one LAN, of which every one hears at once what another claims. */
class Neighbourhood {
  readonly clock = new FakeClock(Date.UTC(2026, 0, 2, 12));
  readonly log = new RecordedLog();
  readonly stations = new Map<string, Station>();
  readonly reports = new Map<string, NodeReport>();
  /** Nodes whose speaker is dead, or does not get or send messages. */
  readonly dead = new Set<string>();
  readonly mute = new Set<string>();
  /** Who answers for an address; by default whoever claims it. */
  readonly answers = new Map<string, readonly string[]>();
  /** `node-a: 192.0.2.1 by node-c MAC`. */
  readonly verified: string[] = [];
  readonly repeated: string[] = [];
  readonly told: string[] = [];
  readonly outcomes: string[] = [];
  messages = 0;

  constructor(nodes: readonly string[]) {
    for (const node of nodes) {
      this.reports.set(node, {
        node,
        saidAt: 0,
        startedAt: 0,
        interfaces: [{ name: 'eth0', up: true, mac: macOf(node), prefixes: [lan] }],
        draining: false,
        restartingUntil: undefined,
        claims: [],
      });
    }
    for (const node of nodes) this.stations.set(node, this.#station(node));
  }

  /** The verifiers take what they see from now on for news. */
  async warmUp(): Promise<void> {
    for (const { verifier } of this.stations.values()) verifier.look();
    await this.clock.advance(5_000);
  }

  claim(node: string, ...texts: readonly string[]): void {
    const report = this.reports.get(node)!;
    const since = this.clock.wallTime();
    const fresh = texts.map((text) => ({ address: address(text), since }));
    this.reports.set(node, { ...report, claims: [...report.claims, ...fresh] });
    for (const { verifier } of this.stations.values()) verifier.look();
  }

  place(node: string, subnet: Prefix): void {
    const interfaces = [{ name: 'eth0', up: true, mac: macOf(node), prefixes: [subnet] }];
    this.reports.set(node, { ...this.reports.get(node)!, interfaces });
  }

  asks(): readonly string[] {
    return [...this.stations].flatMap(([node, { asked }]) => asked.map((text) => `${node} ${text}`));
  }

  #claimsOf(text: string) {
    return [...this.reports.values()].flatMap(({ node, claims }) =>
      claims.flatMap((one) => (formatAddress(one.address) === text ? [{ node, since: one.since }] : [])),
    );
  }

  #station(node: string): Station {
    const asked: string[] = [];
    const verifier: Verifier = new Verifier({
      node,
      board: {
        reportOf: (of) => this.reports.get(of),
        claimsOf: (text) => this.#claimsOf(text),
        tell: (to, bytes) => {
          this.messages += 1;
          if (this.dead.has(node) || this.mute.has(node)) return;
          this.clock.after(1, () => {
            if (this.dead.has(to)) return;
            this.stations.get(to)?.verifier.told(bytes);
            this.stations.get(to)?.claims.told(node, bytes);
          });
        },
      },
      speakers: () => this.stations.keys(),
      ask: (addresses: readonly Address[]) => {
        if (this.dead.has(node)) return;
        for (const one of addresses) {
          const text = formatAddress(one);
          asked.push(text);
          const macs = this.answers.get(text) ?? this.#claimsOf(text).map((claim) => macOf(claim.node));
          for (const mac of macs) this.clock.after(1, () => verifier.answered(one, mac));
        }
      },
      hash: sha256,
      clock: this.clock,
      log: this.log,
    });
    const service: Service = { metadata: { name: 'web', namespace: 'default' }, spec: {} };
    const claims = new VerifiedClaims({
      node,
      claimsOf: (text) => this.#claimsOf(text),
      nodeOf: (mac) => [...this.stations.keys()].find((name) => macOf(name) === mac),
      announcer: {
        defend: (one) => void this.repeated.push(formatAddress(one)),
        isAnnounced: () => true,
        servicesOf: () => ['default/web'],
      },
      takeovers: {
        verified: (one, by, mac) => void this.verified.push(`${node}: ${formatAddress(one)} by ${by} ${mac}`),
      },
      services: { get: () => service },
      events: { record: (_service, { reason, message }) => void this.told.push(`${reason} ${message}`) },
      metrics: { verification: (outcome) => void this.outcomes.push(outcome) },
      log: this.log,
    });
    return { verifier, claims, asked };
  }
}

/** In the order in which they have a turn to ask about 192.0.2.1 of node-a. */
const order = (there: Neighbourhood) => verifiersOf('192.0.2.1', 'node-a', [...there.reports.values()], sha256);
const abc = ['node-a', 'node-b', 'node-c', 'node-d'];

test('one other speaker asks who has an address that a node has claimed, and the node learns that it is itself', async () => {
  const there = new Neighbourhood(abc);
  await there.warmUp();
  there.claim('node-a', '192.0.2.1');
  await there.clock.advance(10_000);
  const [first] = order(there);
  assert.deepEqual(there.asks(), [`${first} 192.0.2.1`]);
  assert.deepEqual(there.verified, [`node-a: 192.0.2.1 by ${first} ${macOf('node-a')}`]);
  assert.deepEqual(there.outcomes, ['verified']);
  assert.deepEqual([there.told, there.repeated], [[], []]);
  assert.equal(there.clock.pending(), 0);
});

for (const [what, silence] of [
  ['is dead', (there: Neighbourhood, node: string) => there.dead.add(node)],
  ['cannot tell', (there: Neighbourhood, node: string) => there.mute.add(node)],
] as const) {
  test(`when the speaker whose turn it is ${what}, the next one asks a second later`, async () => {
    const there = new Neighbourhood(abc);
    await there.warmUp();
    const [first = '', second] = order(there);
    silence(there, first);
    there.claim('node-a', '192.0.2.1');
    await there.clock.advance(990);
    assert.deepEqual(there.verified, []);
    await there.clock.advance(500);
    assert.deepEqual(there.verified, [`node-a: 192.0.2.1 by ${second} ${macOf('node-a')}`]);
    await there.clock.advance(10_000);
    assert.equal(there.outcomes.length, 1);
  });
}

for (const [what, answers, outcome, message] of [
  [
    'nobody answers',
    [],
    'unanswered',
    /, nobody answered\. It has been announced once more\. Look between the two nodes/,
  ],
  ['a stranger answers', [printer], 'others', /, a host with MAC address 02:00:00:00:00:99 answered\. It has been ann/],
  ['the node and another one answer', [macOf('node-a'), macOf('node-b')], 'others', /, node "node-b" with MAC address/],
] as const) {
  test(`when ${what}, the node announces the address once more, and tells of it`, async () => {
    const there = new Neighbourhood(abc);
    await there.warmUp();
    there.answers.set('192.0.2.1', answers);
    there.claim('node-a', '192.0.2.1');
    await there.clock.advance(10_000);
    assert.deepEqual(there.outcomes, [outcome]);
    assert.deepEqual(there.repeated, ['192.0.2.1']);
    const [first] = order(there);
    assert.equal(there.told.length, 1);
    assert.match(
      there.told[0]!,
      new RegExp(`^NotVerified 192.0.2.1 is announced from node "node-a", but when node "${first}`),
    );
    assert.match(there.told[0]!, message);
    assert.equal(there.asks().length, answers.length === 0 ? 2 : 1);
  });
}

test('of a thousand addresses a sample of fifty is asked about, at fifty a second each, and that is said', async () => {
  const there = new Neighbourhood(abc);
  await there.warmUp();
  const texts = Array.from({ length: 1_000 }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
  there.claim('node-a', ...texts);
  await there.clock.advance(10_000);
  assert.equal(there.asks().length, 50);
  assert.equal(there.verified.length, 50);
  const lines = there.log.of('addresses verified');
  assert.equal(
    lines.reduce((sum, { verified }) => sum + (verified as number), 0),
    50,
  );
  assert.ok(lines.every(({ claimed }) => claimed === 1_000));
  assert.ok(there.messages <= 12, `${there.messages} messages`);
});

test('of two speakers the one asks fifty a second, whatever is claimed', async () => {
  const there = new Neighbourhood(['node-a', 'node-b']);
  await there.warmUp();
  for (let batch = 0; batch < 4; batch++) {
    there.claim('node-a', ...Array.from({ length: 50 }, (_, i) => `198.18.${batch}.${i}`));
  }
  await there.clock.advance(1_000);
  assert.ok(there.asks().length <= 101, `${there.asks().length} asked`);
  await there.clock.advance(5_000);
  assert.equal(there.verified.length, 200);
});

test('a claim that another node has taken over since is not told of', async () => {
  const there = new Neighbourhood(abc);
  await there.warmUp();
  there.answers.set('192.0.2.1', []);
  there.claim('node-a', '192.0.2.1');
  await there.clock.advance(100);
  there.reports.set('node-a', { ...there.reports.get('node-a')!, claims: [] });
  await there.clock.advance(10_000);
  assert.deepEqual([there.outcomes, there.repeated], [[], []]);
});

test('what is claimed while all speakers start, as after a power cut, is asked about when they have started', async () => {
  const there = new Neighbourhood(abc);
  await there.clock.advance(1_000);
  there.claim('node-a', '192.0.2.1');
  assert.deepEqual(there.asks(), []);
  await there.clock.advance(10_000);
  assert.equal(there.verified.length, 1);
});

test('what the others have claimed before this speaker started, and what they claim still, is no news', async () => {
  const there = new Neighbourhood(abc);
  there.claim('node-a', '192.0.2.1');
  await there.warmUp();
  there.reports.set('node-a', { ...there.reports.get('node-a')!, saidAt: 1 });
  for (const { verifier } of there.stations.values()) verifier.look();
  await there.clock.advance(10_000);
  assert.deepEqual(there.asks(), []);
});

test('a node that is on another LAN is not asked to verify', async () => {
  const there = new Neighbourhood(abc);
  for (const node of ['node-b', 'node-c']) there.place(node, rack);
  await there.warmUp();
  there.claim('node-a', '192.0.2.1');
  await there.clock.advance(10_000);
  assert.deepEqual(there.asks(), ['node-d 192.0.2.1']);
  assert.deepEqual(order(there), ['node-d']);
});

test('a message about a claim that is not ours, or about an older one, changes nothing', async () => {
  const there = new Neighbourhood(abc);
  await there.warmUp();
  const { claims } = there.stations.get('node-b')!;
  for (const bytes of [new Uint8Array(), new Uint8Array([1, 1, 1, 4]), new Uint8Array(100)])
    claims.told('node-c', bytes);
  there.claim('node-a', '192.0.2.1');
  await there.clock.advance(10_000);
  assert.equal(there.outcomes.length, 1);
  assert.ok(there.verified.every((one) => one.startsWith('node-a')));
});

test('after the end nothing is asked', async () => {
  const there = new Neighbourhood(abc);
  await there.warmUp();
  there.claim('node-a', '192.0.2.1');
  for (const { verifier } of there.stations.values()) verifier.close();
  there.claim('node-a', '192.0.2.2');
  await there.clock.advance(10_000);
  assert.deepEqual([there.asks(), there.clock.pending()], [[], 0]);
});
