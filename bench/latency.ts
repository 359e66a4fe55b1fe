import { latency } from '../test/support/generator.ts';
import { interleaved, long, progress, type Quantities, reporter } from './bench.ts';
import { type Answerer, asking, PacketLab } from './packet-lab.ts';

/**
 * From sending an ARP request to the answer's arrival, beside the kernel answering: a request a millisecond to a node
 * that has nothing else to do, and to one that is being asked 100,000 times a second by another station.
 */
const report = reporter('latency');
const rounds = long ? 15 : 7;
const probes = long ? 5_000 : 1_000;
const gap = 1_000; // microseconds
const background = 100_000;
const range = { first: '198.19.0.0', count: 1_000 };

const lab = PacketLab.build();
try {
  const responder = await lab.responder();
  await compare('idle', responder, () => probe());
  await compare('busy', responder, async () => {
    const times = await probe(background);
    const asked = times.background / (probes * gap);
    if (asked < 0.9 * background * 1e-6) progress(`only ${Math.round(asked * 1e6)} background requests a second`);
    return times;
  });
} finally {
  await lab.close();
}

async function compare(load: 'idle' | 'busy', who: Answerer, run: () => Promise<Quantities>): Promise<void> {
  progress(load);
  const results = await interleaved(rounds, {
    kernel: () => lab.while(lab.kernel(), range, run),
    responder: () => lab.while(who, range, run),
  });
  for (const quantile of ['p50', 'p99'] as const) {
    report({
      case: `packet-1000/${load}-${quantile}`,
      value: results.responder[quantile]!,
      unit: 'us',
      better: 'lower',
      baseline: results.kernel[quantile]!,
      against: 'kernel',
    });
  }
}

/** A lost probe would be missing from the times; a few of a thousand are no reason to throw the others away. */
async function probe(requests = 0) {
  const options = { ...asking(range), probes, gap, background: requests };
  const { lost, p50, p99, background: sent } = await latency(lab.place, options);
  if (lost > probes / 200) throw new Error(`${lost} of ${probes} probes were not answered`);
  return { p50, p99, background: sent };
}
