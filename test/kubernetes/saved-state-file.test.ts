import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SavedStateFile } from '../../src/kubernetes/saved-state-file.ts';
import { netSuite } from '../support/net-suite.ts';
import { owner, savedAt, stateOf } from './saved-objects.ts';

/** A suite of namespaces, for file systems that are full or read-only. */
const test = netSuite('kubernetes/saved-state-file');

const terms = { owner, now: savedAt, maxAge: 60_000 };

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-state-'));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('what is written is there, the last time counts, and nothing lies beside it', () =>
  inDirectory(async (directory) => {
    const file = new SavedStateFile(directory);
    await file.write(owner, stateOf(1));
    await file.write(owner, stateOf(2_000));
    assert.deepEqual(await file.read(terms), stateOf(2_000));
    assert.deepEqual(readdirSync(directory), ['speaker.state']);
  }));

test('nobody but the owner reads it, whatever the umask', () =>
  inDirectory(async (directory) => {
    const umask = process.umask(0);
    try {
      const made = join(directory, 'lib', 'garpoon');
      const file = new SavedStateFile(made);
      await file.write(owner, stateOf(1));
      assert.equal(statSync(file.path).mode & 0o777, 0o600);
      assert.equal(statSync(made).mode & 0o777, 0o700);
    } finally {
      process.umask(umask);
    }
  }));

test('where there is none, that is no fault', () =>
  inDirectory(async (directory) => {
    assert.equal(await new SavedStateFile(directory).read(terms), undefined);
    assert.equal(await new SavedStateFile(join(directory, 'absent')).read(terms), undefined);
  }));

test('what a killed process left unfinished is not read, and gone after the next write', () =>
  inDirectory(async (directory) => {
    const file = new SavedStateFile(directory);
    await file.write(owner, stateOf(1));
    writeFileSync(`${file.path}.new`, 'garpoon-st');
    assert.deepEqual(await file.read(terms), stateOf(1));
    await file.write(owner, stateOf(2));
    assert.deepEqual(readdirSync(directory), ['speaker.state']);
  }));

test('a link in its place leads nowhere: not when it is written, not when it is read', () =>
  inDirectory(async (directory) => {
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'as it was', { mode: 0o644 });
    const file = new SavedStateFile(join(directory, 'state'));
    mkdirSync(join(directory, 'state'));
    symlinkSync(victim, `${file.path}.new`);
    symlinkSync(victim, file.path);
    const read = await file.read(terms);
    assert.ok(read !== undefined && 'refused' in read && read.refused === 'unreadable', JSON.stringify(read));
    await file.write(owner, stateOf(1));
    assert.deepEqual(await file.read(terms), stateOf(1));
    assert.deepEqual([statSync(victim).size, statSync(victim).mode & 0o777], [9, 0o644]);
  }));

for (const [what, make, reason] of [
  ['a directory', (path) => mkdirSync(path), 'unreadable'],
  ['a FIFO that nobody writes to', (path) => execFileSync('mkfifo', [path]), 'unreadable'],
  ['a file larger than any state', (path) => {
    writeFileSync(path, '');
    truncateSync(path, 128 * 1024 * 1024 + 1);
  }, 'too-large'], // biome-ignore format: a row
] as const satisfies readonly (readonly [string, (path: string) => void, string])[]) {
  test(`${what} in its place is refused as ${reason}`, () =>
    inDirectory(async (directory) => {
      const file = new SavedStateFile(directory);
      make(file.path);
      const read = await file.read(terms);
      assert.ok(read !== undefined && 'refused' in read);
      assert.equal(read.refused, reason);
    }));
}

/** On a file system of its own with these options: what the program saved-state-writer.ts prints. */
function writtenOn(options: string, directory: string, ...counts: readonly number[]): unknown {
  const program = fileURLToPath(new URL('saved-state-writer.ts', import.meta.url));
  const mounted = `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`;
  const command = [process.execPath, program, directory, ...counts.map(String)];
  return JSON.parse(
    execFileSync('unshare', ['--mount', 'sh', '-c', mounted, directory, ...command], { encoding: 'utf8' }),
  );
}

test('on a full disk the last state stays, and half a file does not', () =>
  inDirectory(async (directory) => {
    const written = writtenOn('size=128k', directory, 10, 5_000);
    assert.deepEqual(written, { error: 'ENOSPC', left: ['speaker.state'], services: 10 });
  }));

test('on a read-only disk it says so', () =>
  inDirectory(async (directory) => {
    assert.deepEqual(writtenOn('ro', directory, 10), { error: 'EROFS', left: [] });
  }));
