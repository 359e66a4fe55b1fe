import type { FilterForm } from '../src/layer2/responder.ts';
import { eventually } from '../test/support/eventually.ts';
import { interleaved, long, progress, reporter } from './bench.ts';
import { type Answerer, PacketLab } from './packet-lab.ts';
import { cpuPerFrame } from './packet-rates.ts';

/**
 * What other people's ARP requests cost a node, in processor time that is added to what the kernel spends on them
 * anyway: a storm of requests for addresses that this node does not serve. Beside the one-by-one loop, which has no
 * socket filter. Both have CAP_NET_RAW alone, and the responder CAP_BPF in the case that is about it.
 */
const report = reporter('noise');
const rate = 100_000;
const rounds = long ? 25 : 11;

/** Every other address of a pool of a thousand, whose rest is served elsewhere. */
const few = { first: '198.19.0.0', count: 500, step: 2 };
const betweenFew = { ...few, first: '198.19.0.1' };
/** Too many for a classic filter to name each. */
const many = { first: '198.18.64.0', count: 20_000, step: 2 };
const betweenMany = { ...many, first: '198.18.64.1' };
const elsewhere = { first: '198.19.128.0', count: 1_000 };

type Range = { readonly first: string; readonly count: number; readonly step?: number };

const lab = PacketLab.build();
try {
  const under = withCapabilities('net_raw');
  const classic = await lab.responder({ under });
  const extended = await lab.responder({ under: withCapabilities('net_raw', 'bpf'), filter: 'map' });
  const loop = lab.oneByOne({ under });
  progress(`${rounds} rounds`);
  const added = (who: Answerer, served: typeof few, asked: Range) => () =>
    lab.while(who, served, async () => ({ cpu: (await cpuPerFrame(lab, who, asked, rate)) / 1_000 }));
  /** The same once the filter is made, and of the form that the case is about. */
  const filtered =
    (form: FilterForm, who: typeof classic, ...[served, asked]: [typeof few, Range]) =>
    () =>
      lab.while(who, served, async () => {
        await eventually(`the filter is ${form}`, async () => (await who.process.status()).arpFilter === form);
        return { cpu: (await cpuPerFrame(lab, who, asked, rate)) / 1_000 };
      });
  const results = await interleaved(rounds, {
    nobody: added(lab.nobody, few, betweenFew),
    loopFew: added(loop, few, betweenFew),
    exact: filtered('exact', classic, few, betweenFew),
    ebpf: filtered('map', extended, few, betweenFew),
    loopMany: added(loop, many, elsewhere),
    ranges: filtered('ranges', classic, many, elsewhere),
    rangesBetween: filtered('ranges', classic, many, betweenMany),
    ebpfMany: filtered('map', extended, many, betweenMany),
  });
  const compare = (name: string, ours: keyof typeof results, loops: 'loopFew' | 'loopMany') =>
    report({
      case: name,
      value: results[ours].cpu! - results.nobody.cpu!,
      unit: 'us/frame',
      better: 'lower',
      baseline: results[loops].cpu! - results.nobody.cpu!,
      against: 'one-by-one',
    });
  compare('packet-exact/cpu-added', 'exact', 'loopFew');
  compare('packet-ranges/cpu-added', 'ranges', 'loopMany');
  compare('packet-ranges/cpu-added-between-served', 'rangesBetween', 'loopMany');
  compare('packet-ebpf/cpu-added', 'ebpf', 'loopFew');
  compare('packet-ebpf/cpu-added-between-20000-served', 'ebpfMany', 'loopMany');
} finally {
  await lab.close();
}

function withCapabilities(...names: readonly string[]): string[] {
  return ['setpriv', `--bounding-set=-all,${names.map((name) => `+${name}`).join()}`, '--inh-caps=-all'];
}
