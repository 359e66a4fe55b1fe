import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateDirectory } from '../../src/kubernetes/certificate-directory.ts';
import type { ServingCertificate } from '../../src/kubernetes/certificates.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { newServingCertificate } from '../support/webhooks.ts';

const test = suite('kubernetes/certificate-directory');

/** A directory as a kubelet mounts a Secret: the files are links into a version of it, which is replaced as one. */
class Mount {
  readonly path = mkdtempSync(join(tmpdir(), 'garpoon-certs-'));
  #version = 0;

  constructor() {
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) symlinkSync(join('..data', name), join(this.path, name));
  }

  put({ certificate, key, caBundle }: Partial<ServingCertificate>): void {
    const version = `v${++this.#version}`;
    mkdirSync(join(this.path, version));
    for (const [name, text] of [
      ['tls.crt', certificate],
      ['tls.key', key],
      ['ca.crt', caBundle],
    ] as const) {
      if (text !== undefined) writeFileSync(join(this.path, version, name), text);
    }
    symlinkSync(version, join(this.path, '..new'));
    renameSync(join(this.path, '..new'), join(this.path, '..data'));
  }
}

type World = {
  readonly mount: Mount;
  readonly source: CertificateDirectory;
  readonly clock: FakeClock;
  readonly log: RecordedLog;
};

function mounted(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const [mount, clock, log] = [new Mount(), new FakeClock(), new RecordedLog()];
    const source = new CertificateDirectory({ path: mount.path, clock, log });
    try {
      await run({ mount, source, clock, log });
    } finally {
      await source.stop();
      assert.equal(clock.pending(), 0);
      rmSync(mount.path, { recursive: true });
    }
  };
}

test(
  'what is there is taken at once',
  mounted(async ({ mount, source }) => {
    const given = newServingCertificate();
    mount.put(given);
    source.start();
    await source.ready;
    assert.deepEqual(source.current(), given);
  }),
);

test(
  'an authority need not be given',
  mounted(async ({ mount, source }) => {
    const { certificate, key } = newServingCertificate();
    mount.put({ certificate, key });
    source.start();
    await source.ready;
    assert.deepEqual(source.current(), { certificate, key, caBundle: undefined });
  }),
);

test(
  'what comes later is waited for, and told of once',
  mounted(async ({ mount, source, clock, log }) => {
    source.start();
    await eventually('the absence was told', () => log.of('certificate not taken').length === 1);
    await clock.advance(30_000);
    mount.put(newServingCertificate());
    await clock.advance(10_000);
    await source.ready;
    assert.equal(log.of('certificate not taken').length, 1);
  }),
);

test(
  'a change is taken, and the listeners hear of it',
  mounted(async ({ mount, source, clock }) => {
    const heard: ServingCertificate[] = [];
    mount.put(newServingCertificate());
    source.start();
    await source.ready;
    source.onChange((certificate) => heard.push(certificate));
    await clock.advance(10_000);
    const changed = newServingCertificate();
    mount.put(changed);
    await clock.advance(10_000);
    await eventually('the change was heard', () => heard.length === 1);
    assert.deepEqual(heard, [changed]);
  }),
);

for (const [what, broken] of [
  ['a certificate beside the key of another', { key: newServingCertificate().key }],
  ['an unreadable certificate', { certificate: 'nonsense' }],
  ['an unreadable key', { key: 'nonsense' }],
  ['no key', { key: undefined }],
] as const) {
  test(
    `with ${what} the last good one stays`,
    mounted(async ({ mount, source, clock, log }) => {
      const good = newServingCertificate();
      mount.put(good);
      source.start();
      await source.ready;
      mount.put({ ...newServingCertificate(), ...broken } as ServingCertificate);
      await clock.advance(10_000);
      await eventually('it was told', () => log.of('certificate not taken').length === 1);
      assert.deepEqual(source.current(), good);
    }),
  );
}
