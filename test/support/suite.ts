import { type Callback, suite as uvu } from 'uvu';
import { toError, within } from './eventually.ts';

export { eventually } from './eventually.ts';

/**
 * The project's only way to register tests. uvu 0.5.6 ends green when a hook throws, when a test throws something
 * that is no Error, when a failed assertion cannot be printed, and when a suite is never run. This wrapper keeps one
 * invariant: the process exits 0 only if every registered test finished and passed and no hook failed. It also runs
 * the suite by itself, bounds every test in time, and reports its counts to the test runner.
 */

type Body = () => unknown;

export type Suite = {
  /** Registers a test. `name` is a sentence of fact. `limit` is in milliseconds. */
  (name: string, body: Body, limit?: number): void;
  /** Runs before or after the suite, or with `.each` around every test. A throw fails the run. */
  readonly before: Hook;
  readonly after: Hook;
  /** Registers a test that cannot run here, and says why. With CI=true this is a failure: in CI nothing is skipped. */
  skip(name: string, reason: string): void;
};

type Hook = ((body: Body) => void) & { each(body: Body): void };

const defaultLimit = 30_000;

const counts = { registered: 0, finished: 0, passed: 0, hookFailures: 0, skipped: 0 };

process.on('exit', (code) => {
  const lost = counts.registered - counts.finished;
  if (lost > 0) console.error(`${lost} registered test(s) never finished`);
  if (counts.registered === 0) console.error('no test was registered');
  const refusedSkip = counts.skipped > 0 && process.env.CI === 'true';
  if (refusedSkip) console.error(`${counts.skipped} test(s) skipped, and CI=true skips nothing`);
  const known = counts.registered - counts.passed + counts.hookFailures + (refusedSkip ? counts.skipped : 0);
  // What was thrown outside of any test counts as well, or the report would contradict the exit code.
  const failed = Math.max(known, code === 0 ? 0 : 1);
  if (failed > 0 || (counts.registered === 0 && counts.skipped === 0)) process.exitCode = 1;
  // uvu may have left the cursor behind its dots, and this must be a line of its own.
  console.log(`\n#tests ${JSON.stringify({ passed: counts.passed, failed, skipped: counts.skipped })}`);
});

export function suite(name: string): Suite {
  const inner = uvu(name);
  const register = (title: string, body: Body, limit = defaultLimit) => {
    counts.registered += 1;
    inner(title, counted(`${name}: ${title}`, body, limit));
  };
  const hooks = (kind: 'before' | 'after') =>
    Object.assign((body: Body) => inner[kind](guarded(`${name} ${kind}`, body)), {
      each: (body: Body) => inner[kind].each(guarded(`${name} ${kind}.each`, body)),
    });
  queueMicrotask(() => inner.run());
  return Object.assign(register, {
    before: hooks('before'),
    after: hooks('after'),
    skip(title: string, reason: string) {
      counts.skipped += 1;
      console.error(`SKIPPED ${name}: ${title}\n        ${reason}`);
    },
  });
}

function counted(title: string, body: Body, limit: number): Callback<Record<string, unknown>> {
  return async () => {
    try {
      await within(limit, `${title}: not finished within ${limit} ms`, body);
      counts.passed += 1;
    } catch (thrown) {
      // Printed here as well, because uvu's own printer dies on some values and takes the suite with it.
      console.error(`\n  FAILED ${title}\n`, thrown);
      throw printable(thrown);
    } finally {
      counts.finished += 1;
    }
  };
}

function guarded(label: string, body: Body): Callback<Record<string, unknown>> {
  return async () => {
    try {
      await body();
    } catch (thrown) {
      counts.hookFailures += 1;
      console.error(`\n  HOOK FAILED ${label}\n`, thrown);
      throw printable(thrown);
    }
  };
}

/** A plain Error with the same message: it has no `details`, so uvu prints no diff and cannot fail at it. */
function printable(thrown: unknown): Error {
  const error = toError(thrown);
  const plain = new Error(error.message);
  if (error.stack !== undefined) plain.stack = error.stack;
  return plain;
}
