import assert from 'node:assert/strict';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { apply, mergePatch, updateStatus } from '../../src/kubernetes/apply.ts';
import { ApiClient } from '../../src/kubernetes/client.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { services } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type Answer, json, ScriptedApi, status } from '../support/scripted-api.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/apply');

const path = '/api/v1/namespaces/shop/services/web';

async function withClient(run: (api: ScriptedApi, client: ApiClient) => Promise<void>): Promise<void> {
  const api = await ScriptedApi.start();
  const client = new ApiClient({ server: api.url, clock: systemClock });
  try {
    await run(api, client);
  } finally {
    client.close();
    await api.stop();
  }
}

/** A server with one Service: a PUT with another version than the last is a conflict. `intruders` write first. */
function serveService(api: ScriptedApi, intruders: number): { stored: Service } {
  const world = { stored: { ...web('1'), spec: { newField: true } } as Service };
  const store = (object: Service) => {
    const resourceVersion = String(Number(world.stored.metadata.resourceVersion) + 1);
    world.stored = { ...object, metadata: { ...object.metadata, resourceVersion } };
  };
  api.on(`GET ${path}`, (request, response) => json(world.stored)(request, response));
  let left = intruders;
  const put: Answer = (request, response) => {
    if (left-- > 0) store({ ...world.stored, metadata: { ...world.stored.metadata, labels: { intruder: `${left}` } } });
    const object = request.body as Service;
    const isLast = object.metadata.resourceVersion === world.stored.metadata.resourceVersion;
    if (isLast) store(object);
    (isLast ? json(world.stored) : status(409, 'Conflict', 'the object has been modified'))(request, response);
  };
  api.on(`PUT ${path}/status`, put);
  return world;
}

function web(resourceVersion: string): Service {
  return { metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion } };
}

const assigned = (service: Service): Service => ({
  ...service,
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
});

test('a status is written onto what the server has, unknown fields included', () =>
  withClient(async (api, client) => {
    const world = serveService(api, 0);
    assert.equal(await updateStatus(client, services, 'shop/web', assigned), 'updated');
    assert.deepEqual(world.stored, { ...assigned(web('2')), spec: { newField: true } });
  }));

test('a status that is as wanted is not written', () =>
  withClient(async (api, client) => {
    serveService(api, 0);
    await updateStatus(client, services, 'shop/web', assigned);
    assert.equal(await updateStatus(client, services, 'shop/web', assigned), 'unchanged');
    assert.equal(api.count(`PUT ${path}/status`), 1);
  }));

test('a mutation in place is seen as one', () =>
  withClient(async (api, client) => {
    const world = serveService(api, 0);
    const inPlace = (service: Service) => Object.assign(service, { status: { conditions: [] } });
    assert.equal(await updateStatus(client, services, 'shop/web', inPlace), 'updated');
    assert.deepEqual(world.stored.status, { conditions: [] });
  }));

test('when others write first, the change is made to what they wrote', () =>
  withClient(async (api, client) => {
    const world = serveService(api, 3);
    assert.equal(await updateStatus(client, services, 'shop/web', assigned), 'updated');
    assert.deepEqual(world.stored.metadata.labels, { intruder: '0' });
    assert.deepEqual(world.stored.status, assigned(web('1')).status);
  }));

test('who always comes second gives up', () =>
  withClient(async (api, client) => {
    serveService(api, 1_000);
    await assert.rejects(
      updateStatus(client, services, 'shop/web', assigned),
      (error) => error instanceof ApiError && error.status === 409,
    );
    assert.ok(api.count(`PUT ${path}/status`) <= 10);
  }));

test('an object that is gone needs no status', () =>
  withClient(async (api, client) => {
    api.on(`GET ${path}`, status(404, 'NotFound'));
    assert.equal(await updateStatus(client, services, 'shop/web', assigned), 'absent');
  }));

test('an object deleted between reading and writing is absent too', () =>
  withClient(async (api, client) => {
    api.on(`GET ${path}`, json(web('1')));
    api.on(`PUT ${path}/status`, status(404, 'NotFound'));
    assert.equal(await updateStatus(client, services, 'shop/web', assigned), 'absent');
  }));

test('a server-side apply states the kind, the manager and its claim', () =>
  withClient(async (api, client) => {
    api.on(`PATCH ${path}/status`, json(web('2')));
    const metadata = { name: 'web', namespace: 'shop' };
    await apply(client, services, { metadata, status: { conditions: [] } }, { subresource: 'status' });
    const [request] = api.requests;
    assert.equal(request?.headers['content-type'], 'application/apply-patch+yaml');
    assert.deepEqual(Object.fromEntries(request?.query ?? []), { fieldManager: 'garpoon', force: 'true' });
    assert.deepEqual(request?.body, { apiVersion: 'v1', kind: 'Service', metadata, status: { conditions: [] } });
  }));

test('a merge patch is sent as given', () =>
  withClient(async (api, client) => {
    api.on(`PATCH ${path}`, json(web('2')));
    const patched = await mergePatch(client, services, 'shop/web', { metadata: { labels: { old: null } } });
    assert.equal(patched.metadata.resourceVersion, '2');
    const [request] = api.requests;
    assert.equal(request?.headers['content-type'], 'application/merge-patch+json');
    assert.deepEqual(request?.body, { metadata: { labels: { old: null } } });
  }));
