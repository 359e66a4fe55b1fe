import assert from 'node:assert/strict';
import { CertificateRotation } from '../../src/kubernetes/certificate-rotation.ts';
import { CertificateSecret, certificatesOf } from '../../src/kubernetes/certificate-secret.ts';
import { type Certificates, unusable } from '../../src/kubernetes/certificates.ts';
import { secrets } from '../../src/kubernetes/resource.ts';
import { readCertificate, splitBundle } from '../../src/kubernetes/x509.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/certificate-rotation');
const key = `${system}/metallb-webhook-cert`;
const names = ['webhook-service.metallb-system.svc'];
const day = 86_400_000;

/** One replica: it follows the Secret, and rotates what is in it. */
class Replica {
  readonly log = new RecordedLog();
  readonly secret: CertificateSecret;
  readonly rotation: CertificateRotation;
  isTrusted = true;

  constructor(cluster: TestCluster, clock: Clock = systemClock) {
    const edge = { client: cluster.newClient(), secret: key, clock, random: impatient, log: this.log };
    this.secret = new CertificateSecret(edge);
    this.rotation = new CertificateRotation({ ...edge, names, source: this.secret, isTrusted: () => this.isTrusted });
  }

  start(): void {
    this.secret.start();
    this.rotation.start();
  }

  async stop(): Promise<void> {
    await this.rotation.stop();
    await this.secret.stop();
  }
}

function inCluster(
  count: number,
  run: (cluster: TestCluster, ...replicas: readonly Replica[]) => Promise<void>,
  clock?: Clock,
): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start();
    const replicas = Array.from({ length: count }, () => new Replica(cluster, clock));
    try {
      await run(cluster, ...replicas);
    } finally {
      for (const replica of replicas) await replica.stop();
      await cluster.stop();
    }
  };
}

async function held(cluster: TestCluster): Promise<Certificates | undefined> {
  return certificatesOf(await cluster.client.get(secrets, key));
}

test(
  'two replicas that begin at once agree on one certificate',
  inCluster(2, async (cluster, a, b) => {
    a!.start();
    b!.start();
    await Promise.all([a!.secret.ready, b!.secret.ready]);
    const { certificate, authorities } = (await held(cluster))!;
    await eventually('both serve what the Secret holds', () =>
      [a, b].every((replica) => replica!.secret.current()?.certificate === certificate),
    );
    assert.equal(a!.secret.current()?.caBundle, authorities);
    const renewals = [a, b].flatMap((replica) => replica!.log.of('certificates renewed'));
    assert.equal(renewals.length, 1);
  }),
);

test(
  'the empty Secret of MetalLB’s manifests is filled, and what else is in it stays',
  inCluster(1, async (cluster, replica) => {
    await cluster.put(secrets, {
      metadata: { namespace: system, name: 'metallb-webhook-cert', labels: { team: 'net' } },
      data: { note: 'aGk=' },
    });
    replica!.start();
    await replica!.secret.ready;
    const secret = await cluster.client.get(secrets, key);
    assert.deepEqual(Object.keys(secret?.data ?? {}).sort(), ['ca.crt', 'ca.key', 'note', 'tls.crt', 'tls.key']);
    assert.deepEqual(secret?.metadata.labels, { team: 'net' });
  }),
);

test(
  'a replica that does not rotate follows',
  inCluster(2, async (cluster, leader, follower) => {
    follower!.secret.start();
    leader!.start();
    await follower!.secret.ready;
    assert.equal(follower!.secret.current()?.certificate, (await held(cluster))?.certificate);
    assert.deepEqual(follower!.log.of('certificates renewed'), []);
  }),
);

for (const [what, spoil] of [
  ['deleted', (cluster: TestCluster) => cluster.client.delete(secrets, key)],
  ['emptied', (cluster: TestCluster) => cluster.change(secrets, key, (secret) => ({ ...secret, data: {} }))],
  [
    'spoilt',
    (cluster: TestCluster) =>
      cluster.change(secrets, key, (secret) => ({ ...secret, data: { ...secret.data, 'tls.crt': 'bm9uc2Vuc2U=' } })),
  ],
] as const) {
  test(
    `a Secret that was ${what} is made good again, and the last good certificate is served meanwhile`,
    inCluster(1, async (cluster, replica) => {
      replica!.start();
      await replica!.secret.ready;
      const before = (await held(cluster))!;
      await spoil(cluster);
      await eventually('there is another certificate', async () => {
        const now = await held(cluster);
        return now !== undefined && now.certificate !== before.certificate && unusable(now) === undefined;
      });
      assert.ok(replica!.secret.current() !== undefined);
      const served = async () => replica!.secret.current()?.certificate === (await held(cluster))?.certificate;
      await eventually('and it is served', served);
    }),
  );
}

/** The real clock for timers, and a date of the test's own. */
let date = systemClock.wallTime();
const dated: Clock = { ...systemClock, wallTime: () => date };

test(
  'a certificate that comes due is renewed, and a new authority waits for everybody to know it',
  inCluster(
    1,
    async (cluster, replica) => {
      const { rotation, secret } = replica!;
      replica!.start();
      await secret.ready;
      const first = (await held(cluster))!;
      date += 250 * day;
      rotation.start();
      await eventually('the certificate is another', () => secret.current()?.certificate !== first.certificate);
      assert.equal((await held(cluster))?.authorities, first.authorities);
      const second = secret.current()?.certificate;
      date += 2_050 * day;
      rotation.start();
      await eventually('one that has expired is replaced', () => secret.current()?.certificate !== second);
      date += 150 * day;
      replica!.isTrusted = false;
      rotation.start();
      await eventually('there is a second authority', async () => {
        return splitBundle((await held(cluster))?.authorities ?? '').length === 2;
      });
      date += day;
      rotation.start();
      const newest = splitBundle((await held(cluster))!.authorities)[0]!;
      const isNew = () => readCertificate(secret.current()!.certificate)!.checkIssued(readCertificate(newest)!);
      assert.ok(!isNew());
      replica!.isTrusted = true;
      rotation.start();
      await eventually('the new authority signs', isNew);
    },
    dated,
  ),
);

test(
  'while the API server is away the certificate stays, and the work goes on when it is back',
  inCluster(1, async (cluster, replica) => {
    replica!.start();
    await replica!.secret.ready;
    const { certificate } = replica!.secret.current()!;
    await cluster.away();
    replica!.rotation.start();
    await eventually('it was tried', () => replica!.log.of('reconcile failed').length > 0);
    assert.equal(replica!.secret.current()?.certificate, certificate);
    await cluster.back();
    await cluster.client.delete(secrets, key);
    await eventually('there is another', async () => (await held(cluster)) !== undefined);
  }),
);
