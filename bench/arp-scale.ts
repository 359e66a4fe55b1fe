import { interleaved, progress, reporter } from './bench.ts';
import { type Answerer, PacketLab } from './packet-lab.ts';
import { highestRate, rounds, saturatedRate } from './packet-rates.ts';

/** How fast ARP requests for 100,000 addresses are answered, beside requests for one. */
const report = reporter('arp-scale');
const first = '198.18.64.0';
const many = { first, count: 100_000 };
const one = { first, count: 1 };

const lab = PacketLab.build();
try {
  const responder = await lab.responder();
  await compare('highest-rate', responder, highestRate);
  lab.letReceivingGoFirst(false);
  await compare('replies-saturated', responder, saturatedRate);
  // The kernel holds either as the same three prefixes: this is what 100,000 different requests cost by themselves.
  await compare('kernel-replies-saturated', lab.kernel(), saturatedRate);
} finally {
  await lab.close();
}

async function compare(quantity: string, who: Answerer, rate: typeof highestRate): Promise<void> {
  progress(quantity);
  const run = (range: typeof many) => lab.while(who, range, async () => ({ rate: await rate(lab, range) }));
  const results = await interleaved(rounds, { many: () => run(many), one: () => run(one) });
  report({
    case: `packet-100000/${quantity}`,
    value: results.many.rate!,
    unit: 'replies/s',
    better: 'higher',
    baseline: results.one.rate!,
    against: 'one address',
  });
}
