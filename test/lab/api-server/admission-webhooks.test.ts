import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { AdmissionRequest, Verdict } from '../../../src/kubernetes/admission-review.ts';
import type { JsonObject } from '../../../src/lab/api-server/json.ts';
import { eventually, suite } from '../../support/suite.ts';
import { newServingCertificate, TestWebhooks, webhookService } from '../../support/webhooks.ts';
import { berth, berths, configMap, configMaps, type Reply, service, services, TestApi } from './test-api.ts';

const test = suite('lab/api-server/admission-webhooks');
const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const mutations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

/** What the webhook was asked, and what it is to say. */
const asked: AdmissionRequest[] = [];
let verdict: (request: AdmissionRequest) => Verdict | Promise<Verdict>;
let webhooks: TestWebhooks;
let api: TestApi;

test.before(async () => {
  webhooks = await TestWebhooks.start({
    reviewers: {
      '/review': (request) => {
        asked.push(request);
        return verdict(request);
      },
    },
  });
});
test.after(() => webhooks.stop());

test.before.each(async () => {
  asked.length = 0;
  verdict = () => ({ allowed: true });
  const key = `${webhookService.namespace}/${webhookService.name}`;
  api = await TestApi.start({ webhookServices: { [key]: { host: '127.0.0.1', port: webhooks.port } } });
});
test.after.each(() => api.close());

function webhook(changes: JsonObject = {}): JsonObject {
  return {
    name: 'review.harbour.example',
    clientConfig: { service: { ...webhookService, path: '/review' }, caBundle: webhooks.caBundle },
    rules: [
      { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['configmaps', 'berths', 'services'] },
    ],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...changes,
  };
}

async function register(...list: readonly JsonObject[]): Promise<Reply> {
  const kind = 'ValidatingWebhookConfiguration';
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const reply = await api.post(configurations, { apiVersion, kind, metadata: { name: 'w' }, webhooks: [...list] });
  assert.equal(reply.code, 201, JSON.stringify(reply.body));
  return reply;
}

test('a configuration gets the defaults of the real server', async () => {
  const { clientConfig, rules, ...rest } = (await register(webhook())).body.webhooks[0];
  assert.deepEqual(rest, {
    name: 'review.harbour.example',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    timeoutSeconds: 10,
    namespaceSelector: {},
    objectSelector: {},
  });
  assert.equal(clientConfig.service.port, 443);
  assert.equal(rules[0].scope, '*');
});

for (const [what, changes, message] of [
  [
    'a short name',
    { name: 'review.harbour' },
    /name: Invalid value: "review.harbour": should be a domain with at least/,
  ],
  [
    'no side effects',
    { sideEffects: undefined },
    /sideEffects: Required value: must specify one of None, NoneOnDryRun/,
  ],
  ['unknown side effects', { sideEffects: 'Some' }, /sideEffects: Unsupported value: "Some"/],
  ['no review version', { admissionReviewVersions: [] }, /admissionReviewVersions: Required value: must specify/],
  ['an unknown review version', { admissionReviewVersions: ['v9'] }, /must include at least one of v1, v1beta1/],
  ['a long timeout', { timeoutSeconds: 31 }, /timeoutSeconds: Invalid value: 31: the timeout value must be between/],
  ['no place', { clientConfig: {} }, /clientConfig: Required value: exactly one of url or service is required/],
  ['two places', { clientConfig: { url: 'https://a', service: webhookService } }, /exactly one of url or service/],
  ['plain HTTP', { clientConfig: { url: 'http://a' } }, /url: Invalid value: "http": 'https' is the only allowed URL/],
  ['no URL', { clientConfig: { url: 'x' } }, /'https' is the only allowed URL scheme; .*host must be specified/],
  ['a query', { clientConfig: { url: 'https://a/?b' } }, /query parameters are not permitted/],
  ['a nameless Service', { clientConfig: { service: { namespace: 'a' } } }, /service.name: Required value/],
  ['an empty rule', { rules: [{}] }, /rules\[0\].operations: Required value, .*rules\[0\].resources: Required value/],
  ['an unknown failure policy', { failurePolicy: 'Shrug' }, /failurePolicy: Unsupported value: "Shrug"/],
] as const) {
  test(`a webhook with ${what} is refused`, async () => {
    const { code, body } = await api.post(configurations, {
      metadata: { name: 'w' },
      webhooks: [webhook(changes as object as JsonObject)],
    });
    assert.equal(code, 422);
    assert.match(body.message, message);
  });
}

test('every write is reviewed as it will be stored, with what is there now', async () => {
  await register(webhook());
  await api.post(berths, berth('north'));
  await api.merge(`${berths}/north`, { spec: { depth: 5 } });
  await api.delete(`${berths}/north`);
  const seen = asked.map(({ operation, name, namespace, user, object, oldObject }) => {
    const depth = (of: unknown) => (of as { spec?: { depth?: number } } | undefined)?.spec?.depth;
    return {
      operation,
      name,
      namespace,
      user,
      now: depth(object),
      before: depth(oldObject),
      has: [!!object, !!oldObject],
    };
  });
  const common = { name: 'north', namespace: 'default', user: 'lab' };
  assert.deepEqual(seen, [
    { ...common, operation: 'CREATE', now: undefined, before: undefined, has: [true, false] },
    { ...common, operation: 'UPDATE', now: 5, before: undefined, has: [true, true] },
    { ...common, operation: 'DELETE', now: undefined, before: 5, has: [false, true] },
  ]);
  const { spec } = asked[0]!.object as unknown as { spec: object };
  assert.deepEqual(spec, { addresses: ['192.0.2.0/24'], side: 'port', open: true });
});

test('server-side apply and a Service’s status are reviewed like other writes', async () => {
  const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['services/status'] }];
  await register(webhook({ rules }), webhook({ name: 'b.harbour.example' }));
  await api.apply(`${configMaps}/a`, 'm', configMap('a', { x: '1' }));
  await api.apply(`${configMaps}/a`, 'm', configMap('a', { x: '2' }));
  await api.post(services, service('web'));
  await api.merge(`${services}/web/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } });
  assert.deepEqual(
    asked.map(({ operation, name, subresource }) => [operation, name, subresource]),
    [
      ['CREATE', 'a', ''],
      ['UPDATE', 'a', ''],
      ['CREATE', 'web', ''],
      ['UPDATE', 'web', 'status'],
    ],
  );
});

test('a write that is refused changes nothing', async () => {
  await api.post(configMaps, configMap('a', { x: '1' }));
  await register(webhook());
  verdict = () => ({ allowed: false, message: 'too deep' });
  for (const reply of [
    await api.post(configMaps, configMap('b')),
    await api.merge(`${configMaps}/a`, { data: { x: '2' } }),
    await api.delete(`${configMaps}/a`),
    await api.delete(configMaps),
  ]) {
    assert.equal(reply.code, 403);
    assert.equal(reply.body.reason, 'Forbidden');
    assert.equal(reply.body.message, 'admission webhook "review.harbour.example" denied the request: too deep');
  }
  const { items } = (await api.get(configMaps)).body;
  assert.deepEqual(
    items.map(({ data }: { data: object }) => data),
    [{ x: '1' }],
  );
});

test('warnings go to the client, of an allowed write and of a refused one', async () => {
  await register(webhook());
  verdict = ({ name }) => ({ allowed: name === 'a', warnings: ['mind "the" gap', 'Tür…'], message: 'no' });
  // fetch reads headers as Latin-1.
  const expected = Buffer.from('299 - "mind \\"the\\" gap", 299 - "Tür…"').toString('latin1');
  assert.equal((await api.post(configMaps, configMap('a'))).headers.get('warning'), expected);
  assert.equal((await api.post(configMaps, configMap('b'))).headers.get('warning'), expected);
});

test('a dry run is reviewed as one', async () => {
  await register(webhook());
  await api.post(`${configMaps}?dryRun=All`, configMap('a'));
  assert.equal(asked[0]?.isDryRun, true);
});

test('all webhooks that a write concerns have to allow it', async () => {
  await register(webhook(), webhook({ name: 'second.harbour.example' }));
  let count = 0;
  verdict = () => ({ allowed: ++count === 1, message: 'one of two' });
  assert.equal((await api.post(configMaps, configMap('a'))).code, 403);
  assert.equal(asked.length, 2);
});

const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
for (const [what, changes, expected] of [
  ['its rule', { rules: [rule] }, ['a']],
  ['another group', { rules: [{ ...rule, apiGroups: ['apps'] }] }, []],
  ['another version', { rules: [{ ...rule, apiVersions: ['v2'] }] }, []],
  ['another resource', { rules: [{ ...rule, resources: ['secrets'] }] }, []],
  ['another operation', { rules: [{ ...rule, operations: ['DELETE'] }] }, []],
  ['a rule of the cluster', { rules: [{ ...rule, scope: 'Cluster' }] }, []],
  ['a rule of namespaces', { rules: [{ ...rule, scope: 'Namespaced' }] }, ['a']],
  ['subresources alone', { rules: [{ ...rule, resources: ['configmaps/status'] }] }, []],
  ['everything', { rules: [{ ...rule, resources: ['*/*'] }] }, ['a']],
  ['the second rule', { rules: [{ ...rule, resources: ['pods'] }, rule] }, ['a']],
  ['labels it has', { objectSelector: { matchLabels: { tier: 'a' } } }, ['a']],
  ['labels it has not', { objectSelector: { matchLabels: { tier: 'b' } } }, []],
  ['In', { objectSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['a'] }] } }, ['a']],
  ['NotIn', { objectSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['a'] }] } }, []],
  ['Exists', { objectSelector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } }, ['a']],
  ['DoesNotExist', { objectSelector: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] } }, []],
  ['its namespace', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } }, ['a']],
  ['another namespace', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }, []],
] as const) {
  test(`a webhook for ${what} is ${expected.length === 0 ? 'not ' : ''}asked`, async () => {
    await register(webhook({ rules: [rule], ...changes } as JsonObject));
    await api.post(configMaps, configMap('a', {}, { labels: { tier: 'a' } }));
    assert.deepEqual(
      asked.map(({ name }) => name),
      expected,
    );
  });
}

test('an object that leaves or enters the selector by this very write is reviewed', async () => {
  await register(webhook({ objectSelector: { matchLabels: { tier: 'a' } } }));
  await api.post(configMaps, configMap('a', {}, { labels: { tier: 'b' } }));
  await api.merge(`${configMaps}/a`, { metadata: { labels: { tier: 'a' } } });
  await api.merge(`${configMaps}/a`, { metadata: { labels: { tier: 'b' } } });
  await api.merge(`${configMaps}/a`, { metadata: { labels: { tier: 'c' } } });
  assert.equal(asked.length, 2);
});

test('a configuration cannot lock itself in', async () => {
  await register(webhook({ rules: [{ ...rule, apiGroups: ['*'], operations: ['*'], resources: ['*'] }] }));
  verdict = () => ({ allowed: false });
  assert.equal((await api.delete(`${configurations}/w`)).code, 200);
  assert.equal((await api.post(configMaps, configMap('a'))).code, 201);
});

test('a configuration is in force with the next request, and gone with the next', async () => {
  await register(webhook());
  await api.post(configMaps, configMap('a'));
  await api.delete(`${configurations}/w`);
  await api.post(configMaps, configMap('b'));
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['a'],
  );
});

for (const [what, clientConfig, message] of [
  [
    'that nobody serves',
    { url: 'https://127.0.0.1:1/x' },
    /^Internal error occurred: failed calling webhook "review.harbour.example": failed to call webhook: Post "https:\/\/127.0.0.1:1\/x\?timeout=10s": connect ECONNREFUSED/,
  ],
  [
    'of an unknown Service',
    { service: { namespace: 'a', name: 'b' } },
    /Post "https:\/\/b.a.svc:443\/\?timeout=10s": service "b" not found/,
  ],
  [
    'without our authority',
    { service: { ...webhookService, path: '/review' } },
    /failed to call webhook: .*certificate/,
  ],
  [
    'with another path',
    { service: { ...webhookService, path: '/other' } },
    /failed to call webhook: the server could not find the requested/,
  ],
] as const) {
  test(`a webhook ${what} fails the write, or is passed over, by its failurePolicy`, async () => {
    const withBundle = what === 'without our authority' ? {} : { caBundle: webhooks.caBundle };
    await register(webhook({ clientConfig: { ...clientConfig, ...withBundle } as JsonObject }));
    const { code, body } = await api.post(configMaps, configMap('a'));
    assert.equal(code, 500);
    assert.match(body.message, message);
    await api.merge(`${configurations}/w`, {
      webhooks: [webhook({ clientConfig: { ...clientConfig, ...withBundle } as JsonObject, failurePolicy: 'Ignore' })],
    });
    assert.equal((await api.post(configMaps, configMap('a'))).code, 201);
  });
}

test('a webhook that takes too long fails the write after its timeout', async () => {
  await register(webhook({ timeoutSeconds: 3 }));
  const never = Promise.withResolvers<Verdict>();
  verdict = () => never.promise;
  const reply = api.post(configMaps, configMap('a'));
  await eventually('the webhook is asked', () => asked.length === 1);
  await api.clock.advance(3_000);
  assert.match((await reply).body.message, /\?timeout=3s": context deadline exceeded$/);
  never.resolve({ allowed: true });
});

test('what was written while the webhook was asked is not lost, and reviewed again', async () => {
  await api.post(configMaps, configMap('a', { x: '1' }));
  await register(webhook());
  let first = true;
  verdict = async () => {
    if (first) {
      first = false;
      assert.equal((await api.merge(`${configMaps}/a`, { data: { other: '1' } })).code, 200);
    }
    return { allowed: true };
  };
  assert.equal((await api.merge(`${configMaps}/a`, { data: { x: '2' } })).code, 200);
  assert.deepEqual((await api.get(`${configMaps}/a`)).body.data, { x: '2', other: '1' });
  assert.equal(asked.length, 3);
});

test('of two that create one name while the webhook is asked, the second is told', async () => {
  await register(webhook());
  let first = true;
  verdict = async () => {
    if (first) {
      first = false;
      assert.equal((await api.post(configMaps, configMap('a', { by: 'second' }))).code, 201);
    }
    return { allowed: true };
  };
  assert.equal((await api.post(configMaps, configMap('a', { by: 'first' }))).body.reason, 'AlreadyExists');
  // As on the real server, the webhook is asked before anybody looks whether there is one.
  verdict = () => ({ allowed: false });
  assert.equal((await api.post(configMaps, configMap('a'))).code, 403);
  assert.deepEqual((await api.get(`${configMaps}/a`)).body.data, { by: 'second' });
});

test('an update with an old resourceVersion is refused after the review as before it', async () => {
  const { body } = await api.post(configMaps, configMap('a', { x: '1' }));
  await register(webhook());
  verdict = async ({ object }) => {
    if ((object as { data?: { x?: string } }).data?.x === '2') await api.merge(`${configMaps}/a`, { data: { y: '1' } });
    return { allowed: true };
  };
  assert.equal((await api.put(`${configMaps}/a`, { ...body, data: { x: '2' } })).body.reason, 'Conflict');
});

/** A webhook that answers what no sound one would, and one that changes objects, which the product's own never does. */
async function withRaw(
  answer: (uid: string) => object,
  run: (clientConfig: JsonObject) => Promise<void>,
): Promise<void> {
  const { certificate, key, caBundle } = newServingCertificate();
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { uid } = JSON.parse(Buffer.concat(chunks).toString()).request;
      response.end(JSON.stringify(answer(uid)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  try {
    await run({ url, caBundle: Buffer.from(caBundle).toString('base64') });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const answered = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
for (const [what, answer, code, message] of [
  [
    'another kind',
    () => ({ kind: 'Status' }),
    500,
    /expected webhook response of admission.k8s.io\/v1, Kind=AdmissionReview/,
  ],
  ['no response', () => answered, 500, /webhook response was absent/],
  [
    'another uid',
    () => ({ ...answered, response: { uid: 'x', allowed: true } }),
    500,
    /expected response.uid=".*", got "x"/,
  ],
  [
    'a bare no',
    (uid: string) => ({ ...answered, response: { uid, allowed: false } }),
    400,
    /denied the request without explanation$/,
  ],
  [
    'a reason of its own',
    (uid: string) => ({ ...answered, response: { uid, allowed: false, status: { reason: 'Conflict', code: 409 } } }),
    409,
    /denied the request: Conflict$/,
  ],
] as const) {
  test(`a webhook that answers ${what} fails the write with ${code}`, () =>
    withRaw(answer, async (clientConfig) => {
      await register(webhook({ clientConfig }));
      const reply = await api.post(configMaps, configMap('a'));
      assert.equal(reply.code, code);
      assert.match(reply.body.message, message);
    }));
}

test('a warning that no header can carry is dropped', () => {
  const response = { allowed: true, warnings: ['two\nlines', 'one line'] };
  return withRaw(
    (uid) => ({ ...answered, response: { uid, ...response } }),
    async (clientConfig) => {
      await register(webhook({ clientConfig }));
      assert.equal((await api.post(configMaps, configMap('a'))).headers.get('warning'), '299 - "one line"');
    },
  );
});

test('a mutating webhook’s patch is applied before the object is checked', () => {
  const patch = [
    { op: 'add', path: '/spec/depth', value: 7 },
    { op: 'add', path: '/spec/unknown', value: 7 },
  ];
  const response = {
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
  };
  return withRaw(
    (uid) => ({ ...answered, response: { uid, ...response } }),
    async (clientConfig) => {
      await api.post(mutations, { metadata: { name: 'm' }, webhooks: [webhook({ clientConfig })] });
      await register(webhook());
      const { code, body } = await api.post(berths, berth('north'));
      assert.equal(code, 201, JSON.stringify(body));
      assert.deepEqual(body.spec, { addresses: ['192.0.2.0/24'], side: 'port', open: true, depth: 7 });
      assert.deepEqual((asked[0]!.object as unknown as { spec: object }).spec, body.spec);
      const bad = await api.post(berths, berth('south', { addresses: [] }));
      assert.equal(bad.code, 422);
    },
  );
});
