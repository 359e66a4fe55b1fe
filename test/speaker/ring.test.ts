import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fast, lan } from '../../src/memberlist-lite/config.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { gossipKeys, ringConfig } from '../../src/speaker/ring.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/ring');

const directory = mkdtempSync(join(tmpdir(), 'garpoon-ring-'));
const file = join(directory, 'config.json');
test.after(() => rmSync(directory, { recursive: true }));

/** As MetalLB wants it: every name has to be there. */
const complete = {
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

test('without a file the preset counts', () => {
  assert.equal(ringConfig('fast', join(directory, 'absent.json'), silentLogger), fast);
  assert.equal(ringConfig('lan', join(directory, 'absent.json'), silentLogger), lan);
});

test('MetalLB’s file goes before the preset', () => {
  writeFileSync(file, JSON.stringify({ ...complete, ProbeInterval: '300ms' }));
  assert.deepEqual(ringConfig('fast', file, silentLogger), { ...lan, probeInterval: 300 });
});

test('a file with a fault ends the start, and is named with the field', () => {
  writeFileSync(file, JSON.stringify({ ...complete, ProbeInterval: 'soon' }));
  assert.throws(() => ringConfig('fast', file, silentLogger), new RegExp(`--ml-config=${file}: .*ProbeInterval`));
});

test('what cannot be read ends the start, and is named', () => {
  const folder = join(directory, 'folder');
  mkdirSync(folder);
  assert.throws(() => ringConfig('fast', folder, silentLogger), new RegExp(`--ml-config=${folder}`));
});

test('an empty secretkey is no key, as in MetalLB, and the operator is told', () => {
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const secret = join(directory, 'secretkey');
  writeFileSync(secret, '');
  assert.equal(gossipKeys(directory, log), undefined);
  assert.deepEqual(warnings, ['gossip is not encrypted']);
  writeFileSync(secret, 'a secret');
  assert.equal(gossipKeys(directory, log)?.length, 1);
});

test('a folder without a secretkey is refused, by its name', () => {
  const folder = join(directory, 'empty');
  mkdirSync(folder, { recursive: true });
  assert.throws(() => gossipKeys(folder, silentLogger), new RegExp(`--ml-secret-key-path=${folder}`));
});
