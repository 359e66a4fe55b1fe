import { reporter } from './bench.ts';
import { PacketLab } from './packet-lab.ts';
import { compareAnswering } from './packet-rates.ts';

/** What answering ARP requests for a thousand addresses takes, on one core for receiving and answering. */
const lab = PacketLab.build();
try {
  await compareAnswering(lab, 'packet-1000', { first: '198.19.0.0', count: 1_000 }, reporter('arp-answer'));
} finally {
  await lab.close();
}
