import { reporter } from './bench.ts';
import { PacketLab } from './packet-lab.ts';
import { compareAnswering } from './packet-rates.ts';

/**
 * What answering Neighbour Solicitations takes; the kernel has the addresses on the interface. A thousand addresses are
 * as many multicast groups, which the kernel searches one by one for every solicitation, whoever then answers it.
 */
const report = reporter('ndp-answer');
const lab = PacketLab.build();
try {
  await compareAnswering(lab, 'packet-1', { first: '2001:db8::a:0', count: 1 }, report, ['highest-rate']);
  await compareAnswering(lab, 'packet-1000', { first: '2001:db8::a:0', count: 1_000 }, report);
} finally {
  await lab.close();
}
