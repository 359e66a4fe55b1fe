import { compile, type Resources } from '../src/config/compile.ts';
import type { Config } from '../src/config/config.ts';
import { interleaved, long, reporter } from './bench.ts';

/**
 * What it takes to make a configuration of 1,000 pools and 1,000 advertisements, half of them L2 and half of them BGP,
 * beside reading the JSON text of the same resources; and to see that a second one is the same. Milliseconds, after
 * three runs to warm up.
 */
const report = reporter('config');
const rounds = long ? 50 : 15;
const size = 1_000;

const metadata = (name: string, labels = {}) => ({ name, namespace: 'metallb-system', labels });
const numbers = [...Array(size).keys()];

const pools = numbers.map((i) => ({
  metadata: metadata(`pool-${i}`, { site: `site-${i % 100}`, pool: `pool-${i}` }),
  spec: { addresses: [`10.${i >> 8}.${i & 255}.0/24`, `2001:db8:${i.toString(16)}::/64`] },
}));

/** How advertisements choose their pools. */
const choices: Readonly<Record<string, (i: number) => object>> = {
  'by-name': (i) => ({ ipAddressPools: [`pool-${i}`, `pool-${(i + 1) % size}`] }),
  'by-label': (i) => ({ ipAddressPoolSelectors: [{ matchLabels: { site: `site-${i % 100}` } }] }),
  'by-expression': (i) => ({
    ipAddressPoolSelectors: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: [`pool-${i}`] }] }],
  }),
  all: () => ({}),
};

for (const [name, choose] of Object.entries(choices)) {
  const advertisements = numbers.map((i) => ({
    metadata: metadata(`advertisement-${i}`),
    spec: { ...choose(i), nodeSelectors: [{ matchLabels: { rack: `rack-${i % 10}` } }] },
  }));
  const resources: Resources = {
    pools,
    l2Advertisements: advertisements.filter((_, i) => i % 2 === 0),
    bgpAdvertisements: advertisements.filter((_, i) => i % 2 === 1),
  };
  const text = JSON.stringify(resources);
  const variants = {
    compile: async () => ({ time: timed(() => compiled(resources)) }),
    equal: async () => {
      const [one, other] = [compiled(resources), compiled(resources)];
      return { time: timed(() => one.equals(other)) };
    },
    parse: async () => ({ time: timed(() => JSON.parse(text)) }),
  };
  for (let i = 0; i < 3; i++) for (const run of Object.values(variants)) await run();
  const results = await interleaved(rounds, variants);
  const against = { baseline: results.parse.time!, against: 'JSON.parse' };
  report({ case: `${name}/compile`, value: results.compile.time!, unit: 'ms', better: 'lower', ...against });
  report({ case: `${name}/equal`, value: results.equal.time!, unit: 'ms', better: 'lower', ...against });
}

function compiled(resources: Resources): Config {
  const result = compile(resources);
  if ('errors' in result) throw new Error(result.errors.map(({ message }) => message).join('; '));
  return result.config;
}

function timed(run: () => unknown): number {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}
