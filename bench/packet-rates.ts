import { flood } from '../test/support/generator.ts';
import type { AddressRange } from '../test/support/responder-program.ts';
import { type Figure, interleaved, long, progress } from './bench.ts';
import { type Answerer, asking, type PacketLab } from './packet-lab.ts';

export const rounds = long ? 9 : 5;
const seconds = long ? 2 : 0.2;
const moderateRate = 50_000;

const allQuantities = {
  'highest-rate': { unit: 'replies/s', better: 'higher' },
  'replies-saturated': { unit: 'replies/s', better: 'higher' },
  'cpu-per-reply': { unit: 'ns', better: 'lower' },
} as const;

type Quantity = keyof typeof allQuantities;

/**
 * What answering for `range` costs the responder, beside the kernel answering for it and beside the one-by-one loop:
 * each of the `quantities` against both.
 */
export async function compareAnswering(
  lab: PacketLab,
  name: string,
  range: AddressRange,
  report: (figure: Figure) => void,
  quantities = Object.keys(allQuantities) as readonly Quantity[],
): Promise<void> {
  const answerers = { responder: await lab.responder(), kernel: lab.kernel(), 'one-by-one': lab.oneByOne() };
  const measure = {
    'highest-rate': () => highestRate(lab, range),
    'replies-saturated': () => saturatedRate(lab, range),
    'cpu-per-reply': (who: Answerer) => cpuPerFrame(lab, who, range, moderateRate),
  };
  for (const quantity of quantities) {
    progress(`${name}: ${quantity}`);
    const run = (who: Answerer) => lab.while(who, range, async () => ({ it: await measure[quantity](who) }));
    // When there is too much to do, the kernel leaves soft interrupts to an ordinary thread.
    lab.letReceivingGoFirst(quantity !== 'replies-saturated');
    const { responder, ...others } = await interleaved(rounds, {
      responder: () => run(answerers.responder),
      kernel: () => run(answerers.kernel),
      'one-by-one': () => run(answerers['one-by-one']),
    });
    for (const [against, { it: baseline }] of Object.entries(others)) {
      const suffix = against === 'kernel' ? '' : `-over-${against}`;
      const compared = { value: responder.it!, baseline: baseline!, against };
      report({ case: `${name}/${quantity}${suffix}`, ...allQuantities[quantity], ...compared });
    }
  }
  lab.letReceivingGoFirst(true);
}

/**
 * The highest rate, to a twentieth, at which 99.9 % are answered, or the highest that the generator reaches. One miss
 * may be another program's doing, two are not.
 */
export async function highestRate(lab: PacketLab, range: AddressRange): Promise<number> {
  let [good, bad] = [20_000, 1_000_000];
  const isAnswered = async (rate: number) => {
    const shorter = bad / good > 1.3 ? 4 : 1; // while it is only about where to look
    const result = await flood(lab.place, { ...asking(range), rate, seconds: seconds / shorter });
    if (result.answered < 0.999 * result.sent) return false;
    const reached = result.sent / result.seconds;
    good = Math.max(good, reached);
    return reached > 0.97 * rate;
  };
  while (bad / good > (long ? 1.03 : 1.05)) {
    const rate = Math.sqrt(good * bad);
    if (!((await isAnswered(rate)) || (await isAnswered(rate)))) bad = rate;
  }
  return good;
}

/** Answers a second when asked as fast as it goes. */
export async function saturatedRate(lab: PacketLab, range: AddressRange): Promise<number> {
  const { answered, seconds: took } = await flood(lab.place, { ...asking(range), rate: 0, seconds });
  return answered / took;
}

/** Nanoseconds of processor time, receiving included, for a request at a rate that leaves the core idle at times. */
export async function cpuPerFrame(lab: PacketLab, who: Answerer, range: AddressRange, rate: number): Promise<number> {
  const before = lab.cpuTime(who);
  const { sent } = await flood(lab.place, { ...asking(range), rate, seconds: 2 * seconds });
  return (lab.cpuTime(who) - before) / sent;
}
