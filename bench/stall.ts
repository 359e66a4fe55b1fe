import { latency } from '../test/support/generator.ts';
import type { ResponderProcess } from '../test/support/responder-process.ts';
import { interleaved, long, progress, reporter } from './bench.ts';
import { type Answerer, asking, isRealtime, PacketLab } from './packet-lab.ts';

/**
 * From sending an ARP request to the answer's arrival while JavaScript is busy on the core that answers, looking up
 * every 200 ms only: with the packet thread in real time, and without the right to that. Beside the kernel answering
 * on a core that is as busy. Receiving is a soft interrupt: a thread of its own would, whenever it ends, have the
 * scheduler choose anew, and so be of help to the packet thread.
 */
const report = reporter('stall');
const rounds = long ? 15 : 7;
const probes = long ? 2_000 : 500;
const gap = 2_000;
const piece = 200;
const range = { first: '198.19.0.0', count: 1_000 };

const lab = PacketLab.build('softirq');
try {
  const realtime = await lab.responder();
  const ordinary = await lab.responder({ under: ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-all'] });
  if (!isRealtime(realtime.process.pid)) throw new Error('the responder may not run in real time: run as root');
  if (isRealtime(ordinary.process.pid)) throw new Error('the responder runs in real time without CAP_SYS_NICE');
  progress(`${rounds} rounds`);
  const { kernel, ...responders } = await interleaved(rounds, {
    kernel: () => whileBusy(realtime.process, lab.kernel()),
    'real-time': () => whileBusy(realtime.process, realtime),
    ordinary: () => whileBusy(ordinary.process, ordinary),
  });
  for (const [scheduling, { p99 }] of Object.entries(responders)) {
    const name = `packet-1000/${scheduling}-p99`;
    report({ case: name, value: p99!, unit: 'ms', better: 'lower', baseline: kernel.p99!, against: 'kernel' });
  }
} finally {
  await lab.close();
}

async function whileBusy(busy: ResponderProcess, who: Answerer) {
  return lab.while(who, range, async () => {
    await busy.stall(1.2 * probes * (gap / 1_000), piece);
    const { lost, p99 } = await latency(lab.place, { ...asking(range), probes, gap });
    if (lost > probes / 200) throw new Error(`${lost} of ${probes} probes were not answered`);
    return { p99: p99 / 1_000 };
  });
}
