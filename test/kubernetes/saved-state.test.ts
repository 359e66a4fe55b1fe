import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { nodes, type Resource, services } from '../../src/kubernetes/resource.ts';
import { type SavedKind, SavedState } from '../../src/kubernetes/saved-state.ts';
import { SavedStateFile } from '../../src/kubernetes/saved-state-file.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { owner, savedAt, savedService, stateOf } from './saved-objects.ts';

const test = suite('kubernetes/saved-state');

/** A kind that a test reads from the API server, or not. */
class ScriptedKind implements SavedKind {
  readonly resource: Resource<KubernetesObject>;
  readonly mayBeAbsent: boolean;
  readonly store = new Store<KubernetesObject>({ log: silentLogger });
  isDenied = false;
  staleSince: number | undefined;
  readonly #attempt = Promise.withResolvers<void>();
  readonly #list = Promise.withResolvers<void>();

  constructor(resource: Resource<KubernetesObject>, mayBeAbsent = false) {
    this.resource = resource;
    this.mayBeAbsent = mayBeAbsent;
  }

  get attempted(): Promise<void> {
    return this.#attempt.promise;
  }

  get caughtUp(): Promise<void> {
    return this.#list.promise;
  }

  get isFilled(): boolean {
    return this.store.hasSynced;
  }

  onChange: SavedKind['onChange'] = (listener) => this.store.onChange(listener);

  restore(objects: readonly KubernetesObject[], asOf: number): void {
    this.staleSince = asOf;
    this.store.restore(objects);
  }

  /** The API server refuses the connection, or says no. */
  fail(isDenied = false): void {
    this.isDenied = isDenied;
    this.#attempt.resolve();
  }

  list(objects: readonly KubernetesObject[]): void {
    this.isDenied = false;
    this.staleSince = undefined;
    this.store.replace(objects);
    this.#attempt.resolve();
    this.#list.resolve();
  }

  names(): string {
    return this.store.keys().join(' ');
  }
}

type World = {
  readonly directory: string;
  readonly file: SavedStateFile;
  readonly clock: FakeClock;
  readonly log: RecordedLog;
  readonly services: ScriptedKind;
  readonly nodes: ScriptedKind;
  readonly state: SavedState;
  /** The Services in the file, or why it is not read. */
  readonly saved: () => Promise<string>;
};

/** State of Services and Nodes; the Nodes may be absent. The clock begins an hour after what `stateOf` made. */
function inWorld(run: (world: World) => Promise<void>, { isOff = false } = {}): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'garpoon-state-'));
    const clock = new FakeClock(savedAt + 3_600_000);
    const log = new RecordedLog();
    const kinds = { services: new ScriptedKind(services), nodes: new ScriptedKind(nodes, true) };
    const state = new SavedState({
      directory: isOff ? '' : directory,
      maxAge: 86_400_000,
      owner: () => owner,
      kinds: Object.values(kinds).map((kind) => ({ kind, objects: () => kind.store.list() })),
      clock,
      log,
    });
    const file = new SavedStateFile(directory);
    const saved = async () => {
      const read = await file.read({ owner, now: clock.wallTime(), maxAge: Number.POSITIVE_INFINITY });
      if (read === undefined) return 'nothing';
      if ('refused' in read) return read.refused;
      return (read.kinds.get('v1/services') ?? []).map(({ metadata }) => metadata.name).join(' ');
    };
    try {
      await run({ directory, file, clock, log, ...kinds, state, saved });
    } finally {
      await state.stop();
      assert.equal(clock.pending() <= 1, true, 'no timer is left but that of a wait that was over before');
      rmSync(directory, { recursive: true });
    }
  };
}

/** Everything that is not a timer has had its turn. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test(
  'where connections are refused, what was saved is used at once',
  inWorld(async ({ file, log, services, nodes, state }) => {
    await file.write(owner, stateOf(2));
    state.start();
    services.fail();
    nodes.fail();
    await eventually('it is used', () => services.isFilled);
    assert.equal(services.names(), 'shop/web-0 shop/web-1');
    assert.equal(nodes.names(), 'node-a');
    assert.equal(state.age(), 3_600_000);
    const told = log.of('working from saved state')[0];
    assert.equal(told?.level, 'warn');
    assert.deepEqual([told?.age, told?.asOf], [3_600, '2026-01-01T00:00:00.000Z']);
  }),
);

test(
  'where nothing is answered, it is used after two seconds',
  inWorld(async ({ file, clock, services, state }) => {
    await file.write(owner, stateOf(1));
    state.start();
    await clock.advance(1_999);
    await settled();
    assert.equal(services.isFilled, false);
    await clock.advance(1);
    await eventually('it is used', () => services.isFilled);
    await clock.advance(3_600_000);
    assert.equal(state.age(), 7_202_000);
  }),
);

test(
  'what has been listed stays, and only what has not is filled',
  inWorld(async ({ file, clock, services, nodes, state }) => {
    await file.write(owner, stateOf(1));
    state.start();
    services.list([savedService(7)]);
    await clock.advance(2_000);
    await eventually('the Nodes are filled', () => nodes.isFilled);
    assert.equal(services.names(), 'shop/web-7');
    assert.equal(nodes.names(), 'node-a');
  }),
);

test(
  'a server that says no is not away, until it is',
  inWorld(async ({ file, clock, services, nodes, state }) => {
    await file.write(owner, stateOf(1));
    state.start();
    services.fail(true);
    nodes.fail();
    await eventually('the Nodes are filled', () => nodes.isFilled);
    await clock.advance(60_000);
    await settled();
    assert.equal(services.isFilled, false);
    services.fail(false);
    await clock.advance(2_000);
    await eventually('the Services are filled', () => services.isFilled);
  }),
);

test(
  'a kind that was not saved counts as empty when it may be absent, and is waited for otherwise',
  inWorld(async ({ file, log, services, nodes, state }) => {
    await file.write(owner, { asOf: savedAt, kinds: new Map() });
    state.start();
    services.fail();
    nodes.fail();
    await eventually('the Nodes are filled', () => nodes.isFilled);
    await settled();
    assert.equal(services.isFilled, false);
    assert.deepEqual(log.of('working from saved state')[0]?.restored, { 'v1/nodes': 0 });
  }),
);

for (const [what, content, event, reason] of [
  ['is none', undefined, 'no saved state', undefined],
  ['is half a file', 'garpoon-state 1\n{"node":"node-a"', 'saved state refused', 'cut'],
] as const) {
  test(
    `where there ${what}, that is told once and the API server is waited for`,
    inWorld(async ({ file, clock, log, services, nodes, state, saved }) => {
      if (content !== undefined) writeFileSync(file.path, content);
      state.start();
      services.fail();
      nodes.fail();
      await eventually('it is told', () => log.of(event).length === 1);
      await clock.advance(60_000);
      await settled();
      assert.equal(log.of(event).length, 1);
      assert.equal(log.of(event)[0]?.reason, reason);
      assert.equal(services.isFilled, false);
      services.list([savedService(1)]);
      nodes.list([]);
      await clock.advance(0);
      await eventually('it is saved', async () => (await saved()) === 'web-1');
    }),
  );
}

test(
  'nothing is saved before all has been listed, so that what was saved is not lost by a start that fails',
  inWorld(async ({ file, clock, log, services, nodes, state, saved }) => {
    await file.write(owner, stateOf(2));
    state.start();
    services.fail();
    nodes.fail();
    await eventually('it is used', () => services.isFilled);
    services.list([savedService(7)]);
    await clock.advance(600_000);
    await settled();
    assert.equal(await saved(), 'web-0 web-1');
    nodes.list([]);
    await clock.advance(0);
    await eventually('it is saved', async () => (await saved()) === 'web-7');
    assert.equal(log.of('saved state replaced').length, 1);
    assert.equal(state.age(), 0);
  }),
);

test(
  'changes are saved together: after half a second, and five seconds after the last write at the soonest',
  inWorld(async ({ clock, services, nodes, state, saved }) => {
    state.start();
    services.list([savedService(0)]);
    nodes.list([]);
    await clock.advance(0);
    await eventually('it is saved', async () => (await saved()) === 'web-0');
    await settled();
    for (const number of [1, 2, 3]) services.store.set(savedService(number));
    await clock.advance(4_999);
    await settled();
    assert.equal(await saved(), 'web-0');
    await clock.advance(1);
    await eventually('it is saved', async () => (await saved()) === 'web-0 web-1 web-2 web-3');
    await settled();
    await clock.advance(60_000);
    services.store.delete('shop/web-0');
    await clock.advance(499);
    await settled();
    assert.equal(await saved(), 'web-0 web-1 web-2 web-3');
    await clock.advance(1);
    await eventually('it is saved', async () => (await saved()) === 'web-1 web-2 web-3');
  }),
);

test(
  'a change of nothing but the version is not worth a write; after ten minutes it is saved that all is still so',
  inWorld(async ({ clock, file, services, nodes, state }) => {
    const read = () => readFileSync(file.path, 'utf8');
    state.start();
    services.list([savedService(0)]);
    nodes.list([]);
    await clock.advance(0);
    const first = await eventually('it is saved', read);
    await settled();
    const again = savedService(0);
    services.store.set({ ...again, metadata: { ...again.metadata, resourceVersion: '99' } });
    await clock.advance(590_000);
    await settled();
    assert.equal(read(), first);
    await clock.advance(10_000);
    await eventually('it is saved', () => read() !== first);
    assert.ok(read().includes('"asOf":"2026-01-01T01:10:00.000Z"'));
  }),
);

test(
  'while the API server is away, no time is renewed; what was missed being written is written with its time',
  inWorld(async ({ clock, file, services, nodes, state, saved }) => {
    state.start();
    services.list([]);
    nodes.list([]);
    await clock.advance(0);
    await eventually('it is saved', async () => (await saved()) === '');
    await settled();
    services.store.set(savedService(0));
    services.staleSince = clock.wallTime();
    await clock.advance(3_600_000);
    await eventually('it is saved', async () => (await saved()) === 'web-0');
    assert.ok(readFileSync(file.path, 'utf8').includes('"asOf":"2026-01-01T01:00:00.000Z"'));
    assert.equal(state.age(), 3_600_000);
  }),
);

test(
  'what changed last is saved at the end',
  inWorld(async ({ clock, services, nodes, state, saved }) => {
    state.start();
    services.list([savedService(0)]);
    nodes.list([]);
    await clock.advance(0);
    await eventually('it is saved', async () => (await saved()) === 'web-0');
    services.store.set(savedService(1));
    await Promise.all([state.stop(), state.stop()]);
    assert.equal(await saved(), 'web-0 web-1');
  }),
);

test(
  'a directory that cannot be written is told of once, and again when it can',
  inWorld(async ({ directory, clock, log, services, nodes, state, saved }) => {
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'a file where the directory should be');
    state.start();
    services.list([savedService(0)]);
    nodes.list([]);
    await clock.advance(0);
    await eventually('it is told', () => log.of('state not saved').length === 1);
    for (const number of [1, 2, 3]) {
      services.store.set(savedService(number));
      await settled();
      await clock.advance(30_000);
      await settled();
    }
    const [told, ...others] = log.of('state not saved');
    assert.match(String(told?.why), /EEXIST|ENOTDIR/);
    assert.equal(others.length, 0);
    rmSync(directory);
    await clock.advance(30_000);
    await eventually('it is told', () => log.of('state saved again').length === 1);
    assert.equal(await saved(), 'web-0 web-1 web-2 web-3');
  }),
);

test(
  'without a directory nothing is saved or used, and the age is told all the same',
  inWorld(
    async ({ clock, file, services, nodes, state, saved }) => {
      await file.write(owner, stateOf(1));
      state.start();
      services.fail();
      await clock.advance(60_000);
      await settled();
      assert.equal(services.isFilled, false);
      services.list([]);
      nodes.list([]);
      services.staleSince = clock.wallTime();
      await clock.advance(5_000);
      assert.equal(state.age(), 5_000);
      await state.stop();
      assert.equal(await saved(), 'web-0');
    },
    { isOff: true },
  ),
);
