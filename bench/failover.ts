import { bundle } from '../scripts/bundle.mjs';
import { defaultStateDirectory } from '../src/lab/process/run-directory.ts';
import { untilAskedToStop } from '../src/runtime/signals.ts';
import { percentile } from '../test/support/outage.ts';
import { ServedLab } from '../test/support/served-lab.ts';
import { long, progress, reporter, setting } from './bench.ts';
import { type Case, cases, type Quantity } from './failover/cases.ts';
import { type Measured, trial } from './failover/trial.ts';

/**
 * What a client notices when something happens to a node or its speaker, in the lab with three nodes and twenty addresses
 * and default settings: it asks every address a hundred times a second, by UDP through its kernel's neighbour cache.
 *
 *   npm run bench -- failover [case=NAME] [trials=N] [--long]
 *
 * The baseline is the same with memberlist's LAN defaults alone, which is how MetalLB finds out. Percentiles are over
 * the addresses of the struck node and all trials; requests lost and moves are those of a trial on average.
 */
const report = reporter('failover');
const addresses = 20;
const metallbWay = ['--ml-timing=lan', '--bfd-interval=0', '--restart-grace=0'];
const against = 'memberlist LAN defaults alone';

type Measure = { readonly unit: string; of(trials: readonly Measured[]): number };
const mean = (quantity: (one: Measured) => number) => (trials: readonly Measured[]) =>
  trials.reduce((sum, one) => sum + quantity(one), 0) / trials.length;
const outages = (share: number) => (trials: readonly Measured[]) =>
  percentile(
    trials.flatMap((one) => one.outages),
    share,
  );
const quantities: Readonly<Record<Quantity, Measure>> = {
  p50: { unit: 'ms', of: outages(0.5) },
  p99: { unit: 'ms', of: outages(0.99) },
  lost: { unit: 'requests', of: mean(({ lost }) => lost) },
  'unanswered-arp-p99': {
    unit: 'ms',
    of: (trials) =>
      percentile(
        trials.flatMap((one) => one.silences),
        0.99,
      ),
  },
  moved: { unit: 'addresses', of: mean(({ moved }) => moved) },
  'two-owner-seconds': { unit: 's', of: mean(({ contestedSeconds }) => contestedSeconds) },
  'resumed-until-silent': { unit: 'ms', of: (trials) => Math.max(...trials.map(({ contestedFor }) => contestedFor)) },
};

const only = setting('case');
const chosen = cases.filter(({ name }) => only === undefined || name === only);
if (chosen.length === 0) {
  throw new RangeError(`case=${only}: one of ${cases.map(({ name }) => name).join(', ')}`);
}
const trials = Number(setting('trials') ?? (long ? 30 : 3));
if (!Number.isInteger(trials) || trials < 1) throw new RangeError(`trials=${setting('trials')}: a whole number from 1`);
/** The baseline takes longest by far, and varies least for its size. */
const baselineTrials = long ? trials : Math.ceil(trials / 2);

/** As it is installed: from the sources it starts several times slower. */
const program = [process.execPath, await bundle()];
const labs: Promise<ServedLab>[] = [];
const closeAll = () => Promise.allSettled(labs.map(async (one) => (await one).close()));
const asked = new AbortController();
void untilAskedToStop().then(async () => {
  asked.abort(new Error('asked to stop'));
  await closeAll();
  process.exit(130);
});

try {
  const ours = await lab([]);
  const theirs = await lab(metallbWay);
  for (const one of chosen) {
    const [measured, baseline]: [Measured[], Measured[]] = [[], []];
    for (let i = 0; i < trials; i++) {
      measured.push(await told(one, ours, i, 'ours'));
      if (i < baselineTrials) baseline.push(await told(one, theirs, i, against));
    }
    for (const quantity of one.quantities) {
      const { unit, of } = quantities[quantity];
      report({
        case: `${one.name}/${quantity}`,
        value: of(measured),
        unit,
        better: 'lower',
        baseline: of(baseline),
        against,
      });
    }
  }
} catch (error) {
  // Whoever asked to stop is not told what broke by it, and waits for the labs to be gone.
  if (asked.signal.aborted) await new Promise(() => {});
  throw error;
} finally {
  if (!asked.signal.aborted) await closeAll();
}
process.exit();

function lab(speakerArguments: readonly string[]): Promise<ServedLab> {
  asked.signal.throwIfAborted();
  const started = ServedLab.start({ state: defaultStateDirectory(), addresses, program, speakerArguments });
  labs.push(started);
  return started;
}

async function told(one: Case, served: ServedLab, index: number, whose: string): Promise<Measured> {
  const measured = await trial(served, one, index, asked.signal);
  progress(`${one.name}, ${whose}, trial ${index + 1}: ${measured.story}`);
  return measured;
}
