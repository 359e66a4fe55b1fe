import assert from 'node:assert/strict';
import { findApiServer } from '../../../scripts/apiserver.mjs';
import { ApiServer } from '../../../src/lab/api-server/api-server.ts';
import type { JsonObject } from '../../../src/lab/api-server/json.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { berthDefinition } from '../../lab/api-server/test-api.ts';
import { RawApi } from '../../support/raw-api.ts';
import { RealApiServer } from '../../support/real-api-server.ts';
import { eventually, suite } from '../../support/suite.ts';
import { customResourceFacts } from './facts/custom-resources.ts';
import { sceneOf } from './facts/fact.ts';
import { kindFacts } from './facts/kinds.ts';
import { listFacts } from './facts/lists.ts';
import { objectFacts } from './facts/objects.ts';
import { applyFacts, patchFacts } from './facts/patches.ts';
import { serviceFacts } from './facts/services.ts';
import { watchFacts } from './facts/watches.ts';
import { webhookFacts } from './facts/webhooks.ts';

/** One table of facts, held against the embedded API server and a real one: where they differ, the lab deceives. */
const facts = [
  ...objectFacts,
  ...listFacts,
  ...watchFacts,
  ...patchFacts,
  ...applyFacts,
  ...serviceFacts,
  ...customResourceFacts,
  ...kindFacts,
  ...webhookFacts,
];

type Target = { readonly api: RawApi; readonly forget: () => void; readonly close: () => Promise<void> };

holds('embedded', startEmbedded);
const real = findApiServer();
if (real.directory !== undefined) holds('real', () => startReal(real.directory));
else suite('interop/apiserver/conformance real').skip('the same facts hold of a real API server', real.problem);

function holds(name: string, start: () => Promise<Target>): void {
  const test = suite(`interop/apiserver/conformance ${name}`);
  let target: Target;
  let made = 0;
  test.before(async () => {
    target = await start();
  });
  test.after(() => target?.close());
  for (const fact of facts) {
    test(fact.name, async () => {
      made += 1;
      const namespace = `fact-${made}`;
      const { code } = await target.api.post('/api/v1/namespaces', { metadata: { name: namespace } });
      assert.equal(code, 201);
      await fact.check(sceneOf(target.api, namespace, target.forget));
    });
  }
}

async function startEmbedded(): Promise<Target> {
  const options = { clock: systemClock, random: systemRandom, log: silentLogger, crds: [berthDefinition] };
  const server = new ApiServer(options);
  const where = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok('port' in where);
  const api = new RawApi({ server: `http://127.0.0.1:${where.port}` });
  return {
    api,
    forget: () => server.faults.compact(),
    async close() {
      api.close();
      await server.close();
    },
  };
}

/** The first revision is older than anything that a real server remembers, so it has nothing to forget. */
async function startReal(directory: string): Promise<Target> {
  const server = await RealApiServer.start(directory);
  const api = new RawApi(server.admin);
  await api.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', berthDefinition as JsonObject);
  await eventually('the definition is served', async () => {
    return (await api.get('/apis/harbour.example/v1beta1/berths')).code === 200;
  });
  return {
    api,
    forget: () => {},
    async close() {
      api.close();
      await server.close();
    },
  };
}
