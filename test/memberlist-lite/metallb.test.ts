import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Config, lan } from '../../src/memberlist-lite/config.ts';
import { metallbConfig, metallbKey, metallbKeys } from '../../src/memberlist-lite/metallb.ts';
import { suite } from '../support/suite.ts';
import { hexOf } from './vectors.ts';

const test = suite('memberlist-lite/metallb');

const bytes = (text: string) => new TextEncoder().encode(text);
const derived: readonly [name: string, secret: string, length: 16 | 32, key: string][] = [
  ['22 characters', 'A'.repeat(22), 32, '41414141414141414141414141414141414141414141e3b0c44298fc1c149afb'],
  ['a trailing newline', `${'A'.repeat(22)}\n`, 32, '414141414141414141414141414141414141414141410ae3b0c44298fc1c149a'],
  ['22 characters before v0.14', 'A'.repeat(22), 16, '41414141414141414141414141414141'],
];
for (const [name, text, length, expected] of derived) {
  test(`derives MetalLB's key from a secret of ${name}`, () => {
    assert.equal(hexOf(metallbKey(bytes(text), length)), expected);
  });
}

test('a secret gives one key, and an empty one no encryption', () => {
  assert.deepEqual(metallbKeys(bytes('A'.repeat(22)))?.map(hexOf), [derived[0]?.[3]]);
  assert.equal(metallbKeys(bytes('')), undefined);
});

/** The defaults of HashiCorp for a LAN, as a file. */
const file: Readonly<Record<string, unknown>> = {
  TCPTimeout: '10s',
  IndirectChecks: 3,
  RetransmitMult: 4,
  SuspicionMult: 4,
  SuspicionMaxTimeoutMult: 6,
  PushPullInterval: '30s',
  ProbeTimeout: '500ms',
  ProbeInterval: '1s',
  DisableTcpPings: false,
  AwarenessMaxMultiplier: 8,
  GossipNodes: 3,
  GossipInterval: '200ms',
  GossipToTheDeadTime: '30s',
  GossipVerifyIncoming: true,
  GossipVerifyOutgoing: true,
  EnableCompression: true,
  HandoffQueueDepth: 1024,
  UDPBufferSize: 1400,
  QueueCheckInterval: '30s',
};
const read = (changes: Record<string, unknown> = {}) => metallbConfig(JSON.stringify({ ...file, ...changes }));
const configOf = (changes: Record<string, unknown>) => {
  const result = read(changes);
  return 'config' in result ? result.config : assert.fail(result.problems.join());
};
const problemsOf = (text: string) => {
  const result = metallbConfig(text);
  return 'problems' in result ? result.problems : [];
};

test('a file with the defaults for a LAN gives the preset of that name', () => {
  assert.deepEqual(read(), { config: lan });
});

const taken: readonly [change: Record<string, unknown>, config: Partial<Config>][] = [
  [
    { ProbeInterval: '200ms', ProbeTimeout: '100ms' },
    { probeInterval: 200, probeTimeout: 100, stallTolerance: 50 },
  ],
  [{ ProbeInterval: '1m1.5s' }, { probeInterval: 61_500 }],
  [{ GossipInterval: '50000us' }, { gossipInterval: 50 }],
  [{ GossipToTheDeadTime: '0' }, { gossipToTheDeadTime: 0 }],
  [{ PushPullInterval: '+.5h' }, { pushPullInterval: 1_800_000 }],
  [{ DisableTcpPings: true }, { tcpPings: false }],
  [
    { DisableTcpPings: undefined, EnableCompression: null },
    { tcpPings: true, compression: false },
  ],
  [{ IndirectChecks: undefined }, { indirectChecks: 0 }],
  [
    { GossipVerifyIncoming: false, GossipVerifyOutgoing: false },
    { verifyIncoming: false, verifyOutgoing: false },
  ],
  [{ UDPBufferSize: 512 }, { packetBudget: 512 }],
  [{ SuspicionMult: undefined, suspicionmult: 5 }, { suspicionMult: 5 }],
  [{ ANewSetting: { deep: [1] } }, {}],
];
for (const [change, config] of taken) {
  test(`takes ${JSON.stringify(change, (_, value) => (value === undefined ? 'absent' : value))} as MetalLB does`, () => {
    assert.deepEqual(configOf(change), { ...lan, ...config });
  });
}

const refused: readonly [change: Record<string, unknown>, problem: string][] = [
  [
    { ProbeInterval: undefined },
    'ProbeInterval is missing: give a duration from 0.02s to 3600s, such as "1s" or "200ms"',
  ],
  [{ ProbeInterval: '0s' }, 'ProbeInterval: "0s": give a duration from 0.02s to 3600s, such as "1s" or "200ms"'],
  [{ ProbeInterval: 1 }, 'ProbeInterval: 1: give a duration from 0.02s to 3600s, such as "1s" or "200ms"'],
  [{ GossipInterval: '-1s' }, 'GossipInterval: "-1s": give a duration from 0.01s to 60s, such as "1s" or "200ms"'],
  [{ GossipInterval: '1d' }, 'GossipInterval: "1d": give a duration from 0.01s to 60s, such as "1s" or "200ms"'],
  [{ GossipInterval: '200' }, 'GossipInterval: "200": give a duration from 0.01s to 60s, such as "1s" or "200ms"'],
  [{ RetransmitMult: undefined }, 'RetransmitMult is missing, which counts as 0: give a whole number from 1 to 100'],
  [{ GossipNodes: 2.5 }, 'GossipNodes: 2.5: give a whole number from 1 to 100'],
  [{ GossipNodes: '3' }, 'GossipNodes: "3": give a whole number from 1 to 100'],
  [{ UDPBufferSize: 100_000 }, 'UDPBufferSize: 100000: give a whole number from 512 to 65507'],
  [{ HandoffQueueDepth: -1 }, 'HandoffQueueDepth: -1: give a whole number from 0 to 1000000'],
  [{ EnableCompression: 'true' }, 'EnableCompression: "true": give true or false'],
];
for (const [change, problem] of refused) {
  test(`refuses: ${problem}`, () => assert.deepEqual(read(change), { problems: [problem] }));
}

test('names every problem at once: an empty file lacks seven durations and six numbers that must not be 0', () => {
  assert.equal(problemsOf('{}').length, 7 + 6);
});

for (const [text, problem] of [
  ['', /^config.json is not JSON: /],
  ['[]', /^config.json is not a JSON object: /],
  ['null', /^config.json is not a JSON object: /],
  [`{"x":"${'x'.repeat(70_000)}"}`, /^config.json has more than 65536 characters$/],
] as const) {
  test(`refuses ${text.slice(0, 10) || 'an empty file'}`, () => assert.match(problemsOf(text)[0] ?? '', problem));
}

test('any values give a usable configuration or problems, and never an exception', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('1s', '0s', '99999999999h', '1e9s', '..5s', 0, -1, 1e300));
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(file)), value, (name, given) => {
      const result = read({ [name]: given });
      if ('problems' in result) return assert.equal(result.problems.length, 1);
      for (const [key, bounded] of Object.entries(result.config)) {
        if (typeof bounded === 'number') assert.ok(Number.isFinite(bounded) && bounded >= 0, key);
      }
      assert.ok(result.config.probeInterval > 0 && result.config.gossipInterval > 0);
    }),
  );
});
