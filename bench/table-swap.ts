import { flood } from '../test/support/generator.ts';
import { interleaved, median, progress, reporter } from './bench.ts';
import { asking, PacketLab } from './packet-lab.ts';
import { rounds } from './packet-rates.ts';

/**
 * What a new table of 100,000 addresses costs the JavaScript thread, beside making a Map of the same list, and how many
 * of the requests that come in meanwhile are lost, beside requests during no swap.
 */
const report = reporter('table-swap');
const range = { first: '198.18.64.0', count: 100_000 };
const swapsPerRun = 20;
const requests = { rate: 20_000, frames: 30_000 };
/** In every table. */
const asked = { first: '198.18.64.64', count: 1_000 };

const lab = PacketLab.build();
try {
  const responder = await lab.responder();
  const ask = async () => {
    const { sent, answered } = await flood(lab.place, { ...asking(asked), ...requests });
    return sent - answered;
  };
  progress(`${rounds} rounds`);
  const swaps = () => responder.process.timeSwaps(range, swapsPerRun);
  const results = await interleaved(rounds, {
    // Alone: requests take their time from the thread that is timed.
    timed: () =>
      lab.while(responder, range, async () => {
        const { swap, rebuild } = await swaps();
        return { swap: median(swap), rebuild: median(rebuild) };
      }),
    asked: () => lab.while(responder, range, async () => ({ lost: (await Promise.all([ask(), swaps()]))[0] })),
    quiet: () => lab.while(responder, range, async () => ({ lost: await ask() })),
  });
  const name = 'packet-100000';
  const { swap, rebuild } = results.timed;
  report({ case: `${name}/swap`, value: swap!, unit: 'ms', better: 'lower', baseline: rebuild!, against: 'new Map' });
  const compared = { value: results.asked.lost!, baseline: results.quiet.lost!, against: 'no swap' };
  report({ case: `${name}/requests-lost`, unit: 'requests', better: 'lower', ...compared });
} finally {
  await lab.close();
}
