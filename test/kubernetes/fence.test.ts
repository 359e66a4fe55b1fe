import assert from 'node:assert/strict';
import { ApiClient, type ClientOptions } from '../../src/kubernetes/client.ts';
import { services } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { json, ScriptedApi, silent } from '../support/scripted-api.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/fence');
const path = '/api/v1/namespaces/default/services/web';
const web = { metadata: { namespace: 'default', name: 'web' } };
const ended = { code: 'aborted', message: /: the right to write has ended$/ };

class Right {
  readonly #ended = new AbortController();
  holding = true;

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  holds(): boolean {
    return this.holding;
  }

  abort(): void {
    this.#ended.abort();
  }
}

function fenced(
  run: (client: ApiClient, right: Right, api: ScriptedApi) => Promise<void>,
  options: (right: Right) => Partial<ClientOptions> = () => ({}),
): () => Promise<void> {
  return async () => {
    const api = await ScriptedApi.start();
    for (const verb of ['GET', 'PUT', 'PATCH', 'DELETE']) api.on(`${verb} ${path}`, json(web));
    api.on('POST /api/v1/namespaces/default/services', json(web));
    const right = new Right();
    const client = new ApiClient({ server: api.url, clock: systemClock, ...options(right) });
    try {
      await run(client.fencedBy(right), right, api);
    } finally {
      client.close();
      await api.stop();
    }
  };
}

const patch = { contentType: 'application/merge-patch+json' } as const;
for (const [verb, write] of [
  ['create', (client: ApiClient) => client.create(services, web)],
  ['update', (client: ApiClient) => client.update(services, web)],
  ['patch', (client: ApiClient) => client.patch(services, 'default/web', {}, patch)],
  ['delete', (client: ApiClient) => client.delete(services, 'default/web')],
  ['request', (client: ApiClient) => client.request({ method: 'PUT', path })],
] as const) {
  test(
    `${verb} goes out while the fence holds, and not afterwards`,
    fenced(async (client, right, api) => {
      await write(client);
      right.holding = false;
      await assert.rejects(write(client), ended);
      assert.equal(api.requests.length, 1);
    }),
  );
}

test(
  'reading goes on',
  fenced(async (client, right) => {
    right.holding = false;
    assert.equal((await client.get(services, 'default/web'))?.metadata.name, 'web');
  }),
);

test(
  'the fence is asked after the credentials have been read',
  fenced(
    async (client, _right, api) => {
      await assert.rejects(client.update(services, web), ended);
      assert.equal(api.requests.length, 0);
    },
    (right) => ({
      credentials: async () => {
        right.holding = false;
        return {};
      },
    }),
  ),
);

test(
  'the fence is asked again when a kept connection broke and the write is repeated',
  fenced(async (client, right, api) => {
    await client.update(services, web);
    api.on(`PUT ${path}`, (_, response) => {
      right.holding = false;
      response.socket?.resetAndDestroy();
    });
    await assert.rejects(client.update(services, web), ended);
    assert.equal(api.count(`PUT ${path}`), 2);
  }),
);

test(
  'a write under way is aborted when the right ends',
  fenced(async (client, right, api) => {
    api.on(`PUT ${path}`, silent);
    const write = client.update(services, web);
    await eventually('the write has arrived', () => api.count(`PUT ${path}`) === 1);
    right.abort();
    await assert.rejects(write, { code: 'aborted' });
  }),
);
