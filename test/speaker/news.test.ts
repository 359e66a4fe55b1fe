import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Claim } from '../../src/election/claims.ts';
import { formatAddress } from '../../src/ip/address.ts';
import type { EndpointSlice, Service } from '../../src/kubernetes/core.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Random, seededRandom } from '../../src/runtime/random.ts';
import { BalancedOwners } from '../../src/speaker/balanced-owners.ts';
import { decide, type View } from '../../src/speaker/decision.ts';
import { sliceIndex } from '../../src/speaker/service-reconciler.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';
import { type Declared, Electorate, type Facts, serviceOf, sliceOf, viewOf } from './electorate.ts';

/** Speakers of which each learns in its own order what the others claim, and who is alive. */
const test = suite('speaker/news');

type Report = ReadonlyMap<string, number>;

/** A speaker that knows only what it has been told. */
class Listener {
  readonly name: string;
  readonly owners: BalancedOwners;
  /** By node: what it last said that it has, since when; ours as well. */
  readonly reports = new Map<string, Report>();
  readonly #services = new Store<Service>({ log: silentLogger });
  readonly #slices = new Store<EndpointSlice, 'service'>({ log: silentLogger, indexes: sliceIndex });
  #view: View;

  constructor(name: string, facts: Facts, declared: readonly Declared[], reports: ReadonlyMap<string, Report>) {
    this.name = name;
    this.#view = viewOf(facts, name);
    for (const [node, report] of reports) this.reports.set(node, report);
    this.owners = new BalancedOwners({
      services: this.#services,
      slices: this.#slices,
      view: () => this.#view,
      claimsOf: (address) => this.#claimsOf(address),
      isReturning: (node) => facts.returning?.includes(node) ?? false,
      onDecided: () => {},
      clock: new FakeClock(),
    });
    for (const one of declared) {
      this.#slices.set(sliceOf(one));
      this.#services.set(serviceOf(one));
      this.owners.serviceChanged(`default/${one.name}`);
    }
    this.owners.flush();
  }

  learn(facts: Facts): void {
    this.#view = { ...viewOf(facts, this.name), electionsOf: (key) => this.owners.electionsOf(key) };
    this.owners.decideSoon();
  }

  hear(node: string, report: Report): void {
    this.reports.set(node, report);
    this.owners.decideSoon();
  }

  /** Decides, and takes and leaves what has to be. Returns what it has now, if that is another. */
  act(): Report | undefined {
    this.owners.flush();
    const view: View = { ...this.#view, electionsOf: (key) => this.owners.electionsOf(key) };
    const has = new Map(this.reports.get(this.name));
    const before = JSON.stringify([...has]);
    for (const key of this.#services.keys()) {
      const decision = decide(this.#services.get(key), this.#slices.by('service', key), view);
      const own = new Set('announce' in decision ? decision.announce.map(formatAddress) : []);
      for (const [text, { owner }] of decision.elections ?? []) {
        const isLeft = owner === undefined || this.reports.get(owner)?.has(text);
        if (own.has(text)) {
          if (!has.has(text)) has.set(text, Math.max(0, ...this.#claimsOf(text).map(({ since }) => since)) + 1);
        } else if (has.has(text) && isLeft) has.delete(text);
      }
    }
    if (JSON.stringify([...has]) === before) return undefined;
    this.reports.set(this.name, has);
    this.owners.decideSoon();
    return has;
  }

  #claimsOf(address: string): Claim[] {
    return [...this.reports].flatMap(([node, report]) => {
      const since = report.get(address);
      return since === undefined ? [] : [{ node, since }];
    });
  }
}

/** What may happen next: a speaker learns what has become of the nodes, hears what another has, or decides. */
type Step = () => void;

/** Lets all that can happen happen in an order of chance. Returns address → who has claimed it anew, in turn. */
function play(listeners: readonly Listener[], after: Facts, random: Random): ReadonlyMap<string, readonly string[]> {
  const news = new Map<string, Step[]>();
  const taken = new Map<string, string[]>();
  const queue = (name: string, step: Step) => news.set(name, [...(news.get(name) ?? []), step]);
  const leaving = after.nodes.find(({ draining }) => draining)?.name;
  for (const listener of listeners) {
    // Whoever hands over knows it first, and says so before all that comes of it.
    if (listener.name === leaving) listener.learn(after);
    else queue(`${leaving} ${listener.name}`, () => listener.learn(after));
  }
  const act = (listener: Listener) => {
    const before = listener.reports.get(listener.name);
    const report = listener.act();
    if (report === undefined) return;
    for (const text of report.keys()) {
      if (!before?.has(text)) taken.set(text, [...(taken.get(text) ?? []), listener.name]);
    }
    // It may have said so in two messages, one soon after the other.
    const half = new Map([...report].filter(([text]) => before?.has(text) || random.float() < 0.5));
    for (const other of listeners) {
      if (other === listener) continue;
      for (const said of [half, report]) {
        queue(`${listener.name} ${other.name}`, () => {
          other.hear(listener.name, said);
          if (random.float() < 0.7) act(other);
        });
      }
    }
  };
  for (let steps = 0; steps < 10_000; steps++) {
    const open = [...news].filter(([, all]) => all.length > 0);
    if (open.length === 0) {
      for (const listener of listeners) act(listener);
      if ([...news.values()].every((all) => all.length === 0)) return taken;
      continue;
    }
    open[random.integer(open.length)]![1].shift()!();
    const some = listeners[random.integer(listeners.length)]!;
    if (random.float() < 0.3) act(some);
  }
  throw new Error('the speakers do not come to rest');
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `node-${'abcdefg'[i]}`);

/** Services with so many addresses each. */
function declared(counts: readonly number[], first = 0): readonly Declared[] {
  let next = first;
  return counts.map((count, i) => ({
    name: `web-${first}-${i}`,
    ips: Array.from({ length: count }, () => `192.0.2.${next++}`).join(' '),
  }));
}

type World = { readonly facts: Facts; readonly services: readonly Declared[]; readonly rest: Electorate };

function atRest(nodes: number, counts: readonly number[], strategy: 'balanced' | 'metallb', gone = 0): World {
  const facts: Facts = { nodes: names(nodes).map((name) => ({ name })), strategy };
  const rest = new Electorate(facts);
  const all = declared(counts);
  // What was taken away again leaves the nodes uneven.
  rest.declare(...all);
  rest.settle();
  const services = all.slice(gone);
  for (const { name } of all.slice(0, gone)) rest.remove(name);
  rest.settle();
  return { facts, services, rest };
}

function reportsOf(owners: ReadonlyMap<string, string>): ReadonlyMap<string, Report> {
  const reports = new Map<string, Map<string, number>>();
  for (const [text, node] of owners) reports.set(node, (reports.get(node) ?? new Map()).set(text, 1));
  return reports;
}

/** Lets everybody learn of it when it pleases: the same has to come of it as if all learnt it at once, with no detour. */
function assertSameMoves({ facts, services, rest }: World, node: string, cause: Cause, seed: number): void {
  const before = rest.announced();
  const all = facts.nodes.map(({ name }) => name);
  const after = cause === 'dies' ? { ...facts, members: all.filter((name) => name !== node) } : drained(facts, node);
  const listeners = (after.members ?? all).map((name) => new Listener(name, facts, services, reportsOf(before)));
  const taken = play(listeners, after, seededRandom(seed));
  rest.change(after);
  rest.settle();
  const moves = [...rest.announced()].filter(([text, owner]) => before.get(text) !== owner);
  assert.deepEqual(
    [...taken].map(([text, by]) => `${text} ${by}`).sort(),
    moves.map(([text, owner]) => `${text} ${owner}`).sort(),
  );
}

type Cause = 'dies' | 'is drained';

function drained(facts: Facts, node: string): Facts {
  return { ...facts, nodes: facts.nodes.map((one) => (one.name === node ? { ...one, draining: true } : one)) };
}

const worlds = {
  nodes: fc.integer({ min: 3, max: 6 }),
  counts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 40 }),
  strategy: fc.constantFrom('balanced' as const, 'metallb' as const),
  gone: fc.integer({ min: 0, max: 12 }),
  lost: fc.nat(5),
  seed: fc.nat(),
};

test('what a node had that dies is taken by one other each, in whatever order they learn of it', () => {
  fc.assert(
    fc.property(fc.record(worlds), ({ nodes, counts, strategy, gone, lost, seed }) => {
      const world = atRest(nodes, counts, strategy, Math.min(gone, counts.length - 1));
      assertSameMoves(world, names(nodes)[lost % nodes]!, 'dies', seed);
    }),
    { numRuns: 150 },
  );
}, 60_000);

for (const cause of ['dies', 'is drained'] as const) {
  test(`so is that of one of five nodes which ${cause}, with twenty Services of three addresses`, () => {
    const counts = Array.from({ length: 20 }, () => 3);
    for (let seed = 0; seed < 40; seed++)
      assertSameMoves(atRest(5, counts, 'metallb'), names(5)[seed % 5]!, cause, seed);
  }, 60_000);
}
