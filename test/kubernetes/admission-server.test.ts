import assert from 'node:assert/strict';
import https from 'node:https';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Reviewer } from '../../src/kubernetes/admission-review.ts';
import { AdmissionServer } from '../../src/kubernetes/admission-server.ts';
import type { Converter } from '../../src/kubernetes/conversion-review.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { TestCertificate, TestWebhooks, webhookName } from '../support/webhooks.ts';

const test = suite('kubernetes/admission-server');

const clock = new FakeClock();
const log = new RecordedLog();
const allow: Reviewer = () => ({ allowed: true });
const reviewers: Readonly<Record<string, Reviewer>> = {
  '/allow': allow,
  '/refuse': ({ name }) => ({ allowed: false, message: `${name}: spec.side is "top": give port or starboard` }),
  '/silent-no': () => ({ allowed: false }),
  '/warn': () => ({ allowed: true, warnings: ['two\nlines\u0007', 'x'.repeat(300)] }),
  '/throw': () => {
    throw new Error('the reviewer has a bug');
  },
  '/reject': () => Promise.reject(new Error('the reviewer lost its list')),
  '/never': () => new Promise(() => {}),
  '/echo': (request) => ({ allowed: false, message: JSON.stringify(request) }),
};
const convert: Converter = (object, apiVersion) =>
  object.metadata.name === 'stuck' ? { problem: 'it is stuck' } : { object: { ...object, apiVersion } };
let webhooks: TestWebhooks;

test.before(async () => {
  webhooks = await TestWebhooks.start({ reviewers, converters: { '/convert': convert }, clock, log });
});
test.after(() => webhooks.stop());

// biome-ignore lint/suspicious/noExplicitAny: bodies are JSON of many shapes, and the assertions are the types.
type Got = { readonly status: number; readonly text: string; readonly json: any };
type Sent = { readonly method?: string; readonly type?: string; readonly body?: string | Buffer };

function send(path: string, { method = 'POST', type = 'application/json', body = '' }: Sent = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const ca = webhooks.certificate.current().caBundle;
    const headers = { ...(type === '' ? {} : { 'content-type': type }), 'content-length': Buffer.byteLength(body) };
    const place = { host: '127.0.0.1', port: webhooks.port, servername: webhookName, ca, agent: false };
    const request = https.request({ ...place, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type'] === 'application/json';
        resolve({ status: response.statusCode ?? 0, text, json: isJson ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const berth = { apiVersion: 'harbour.example/v1', kind: 'Berth', metadata: { namespace: 'default', name: 'north' } };

function review(request: object = {}): string {
  const kind = { group: 'harbour.example', version: 'v1', kind: 'Berth' };
  const whole = {
    uid: 'u1',
    kind,
    operation: 'CREATE',
    namespace: 'default',
    name: 'north',
    object: berth,
    ...request,
  };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: whole });
}

function conversion(request: object = {}): string {
  const whole = { uid: 'u2', desiredAPIVersion: 'harbour.example/v2', objects: [berth], ...request };
  return JSON.stringify({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', request: whole });
}

for (const [what, path, response] of [
  ['allows', '/allow', { uid: 'u1', allowed: true }],
  [
    'refuses with the reason',
    '/refuse',
    {
      uid: 'u1',
      allowed: false,
      status: { code: 403, reason: 'Forbidden', message: 'north: spec.side is "top": give port or starboard' },
    },
  ],
  [
    'refuses without a reason, and says so',
    '/silent-no',
    { uid: 'u1', allowed: false, status: { code: 403, reason: 'Forbidden', message: 'no reason was given' } },
  ],
  [
    'warns in lines that fit a header',
    '/warn',
    { uid: 'u1', allowed: true, warnings: ['two lines', `${'x'.repeat(255)}…`] },
  ],
] as const) {
  test(`a reviewer ${what}`, async () => {
    const got = await send(path, { body: review() });
    assert.equal(got.status, 200);
    assert.deepEqual(got.json, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
  });
}

test('a reviewer is told what is about to happen', async () => {
  const oldObject = { ...berth, spec: {} };
  const request = {
    operation: 'UPDATE',
    oldObject,
    dryRun: true,
    subResource: 'status',
    userInfo: { username: 'ann' },
  };
  const got = await send('/echo?timeout=10s', { body: review(request) });
  assert.deepEqual(JSON.parse(got.json.response.status.message), {
    operation: 'UPDATE',
    kind: { group: 'harbour.example', version: 'v1', kind: 'Berth' },
    namespace: 'default',
    name: 'north',
    subresource: 'status',
    isDryRun: true,
    user: 'ann',
    object: berth,
    oldObject,
  });
});

test('a deletion has an old object alone', async () => {
  const got = await send('/echo', { body: review({ operation: 'DELETE', object: null, oldObject: berth }) });
  const { object, oldObject } = JSON.parse(got.json.response.status.message);
  assert.deepEqual({ object, oldObject }, { object: undefined, oldObject: berth });
});

const huge = Buffer.alloc(7 * 1024 * 1024 + 1, ' ');
for (const [what, path, sent, status, text] of [
  ['an unknown path', '/nowhere', {}, 404, /nothing is reviewed at \/nowhere: there are \/allow, .*\/convert/],
  ['a name that every object has', '/constructor', {}, 404, /nothing is reviewed/],
  ['a path that is no URL', '//', {}, 404, /nothing is reviewed at \/\//],
  ['a GET', '/allow', { method: 'GET' }, 405, /by POST, not GET/],
  ['no content type', '/allow', { type: '', body: review() }, 415, /application\/json, not nothing/],
  ['protobuf', '/allow', { type: 'application/vnd.kubernetes.protobuf', body: review() }, 415, /application\/json/],
  ['an empty body', '/allow', {}, 400, /the body is no JSON/],
  ['half a body', '/allow', { body: review().slice(0, 50) }, 400, /the body is no JSON/],
  ['null', '/allow', { body: 'null' }, 400, /no AdmissionReview of admission.k8s.io\/v1/],
  ['another kind', '/allow', { body: conversion() }, 400, /no AdmissionReview/],
  ['an old review', '/allow', { body: review().replace('/v1"', '/v1beta1"') }, 400, /no AdmissionReview/],
  [
    'no request',
    '/allow',
    { body: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}' },
    400,
    /request is/,
  ],
  ['no uid', '/allow', { body: review({ uid: undefined }) }, 400, /request.uid is missing/],
  [
    'an unknown operation',
    '/allow',
    { body: review({ operation: 'EAT' }) },
    400,
    /operation is "EAT": expected CREATE/,
  ],
  ['no kind', '/allow', { body: review({ kind: 'Berth' }) }, 400, /request.kind is no group/],
  ['no object', '/allow', { body: review({ object: null }) }, 400, /request.object is missing in CREATE/],
  ['an object that is a list', '/allow', { body: review({ object: [] }) }, 400, /request.object is no object/],
  ['an object without metadata', '/allow', { body: review({ oldObject: {} }) }, 400, /request.oldObject is no object/],
  ['a review that is too large', '/allow', { body: huge }, 413, /larger than 7340032 bytes/],
  ['a review for a conversion', '/convert', { body: review() }, 400, /no ConversionReview/],
  [
    'a conversion without a version',
    '/convert',
    { body: conversion({ desiredAPIVersion: '' }) },
    400,
    /desiredAPIVersion/,
  ],
  ['a conversion of nothing', '/convert', { body: conversion({ objects: null }) }, 400, /request.objects is no list/],
  [
    'a conversion of a text',
    '/convert',
    { body: conversion({ objects: [berth, 'x'] }) },
    400,
    /objects\[1\] is no object/,
  ],
  ['a conversion without a uid', '/convert', { body: conversion({ uid: 1 }) }, 400, /request.uid is missing/],
  ['a reviewer that throws', '/throw', { body: review() }, 500, /the review failed: the reviewer has a bug/],
  ['a reviewer that rejects', '/reject', { body: review() }, 500, /the review failed: the reviewer lost its list/],
] as const) {
  test(`${what} is answered ${status} in words`, async () => {
    const got = await send(path, sent);
    assert.equal(got.status, status, got.text);
    assert.match(got.text, text);
  });
}

test('a reviewer that fails is logged', () => {
  assert.deepEqual(
    log.of('review failed').map(({ path }) => path),
    ['/throw', '/reject'],
  );
});

for (const [query, limit] of [
  ['', 10_000],
  ['?timeout=3s', 3_000],
  ['?timeout=0s', 1_000],
  ['?timeout=99s', 30_000],
  ['?timeout=soon', 10_000],
] as const) {
  test(`a reviewer that never answers /never${query} has ${limit} ms`, async () => {
    const timers = clock.pending();
    let answered = false;
    const got = send(`/never${query}`, { body: review() }).finally(() => {
      answered = true;
    });
    await eventually('the review has begun', () => clock.pending() === timers + 1);
    await clock.advance(limit - 1);
    assert.ok(!answered);
    await clock.advance(1);
    assert.deepEqual(await got, { status: 504, text: `the review took longer than ${limit} ms\n`, json: undefined });
  });
}

test('objects are converted, and those that have the version already are left as they are', async () => {
  const there = { ...berth, apiVersion: 'harbour.example/v2', metadata: { name: 'stuck' } };
  const got = await send('/convert', { body: conversion({ objects: [berth, there] }) });
  assert.equal(got.status, 200);
  assert.deepEqual(got.json, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'ConversionReview',
    response: {
      uid: 'u2',
      convertedObjects: [{ ...berth, apiVersion: 'harbour.example/v2' }, there],
      result: { status: 'Success' },
    },
  });
});

test('one object that cannot be converted fails them all, by name', async () => {
  const stuck = { ...berth, metadata: { namespace: 'default', name: 'stuck' } };
  const { json } = await send('/convert', { body: conversion({ objects: [berth, stuck] }) });
  const result = { status: 'Failure', message: 'Berth default/stuck: it is stuck' };
  assert.deepEqual(json.response, { uid: 'u2', convertedObjects: [], result });
});

test('many at once are each answered under their own uid', async () => {
  const uids = Array.from({ length: 50 }, (_, i) => `uid-${i}`);
  const got = await Promise.all(uids.map((uid) => send('/allow', { body: review({ uid }) })));
  assert.deepEqual(
    got.map(({ json }) => json.response.uid),
    uids,
  );
});

function handshake(options: object = {}): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const ca = webhooks.certificate.current().caBundle;
    const place = { host: '127.0.0.1', port: webhooks.port, servername: webhookName, ca };
    const socket: TLSSocket = connect({ ...place, ...options }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('another certificate is served from the next connection on, without a restart', async () => {
  const before = await handshake();
  const { caBundle } = webhooks.certificate.current();
  webhooks.certificate.replace();
  const after = await handshake();
  assert.notEqual(before.serialNumber, after.serialNumber);
  await assert.rejects(handshake({ ca: caBundle }), { code: /UNABLE_TO_VERIFY|SELF_SIGNED|CERT_SIGNATURE/ });
  assert.equal((await send('/allow', { body: review() })).json.response.allowed, true);
});

test('TLS 1.2 is refused unless it is allowed', async () => {
  await assert.rejects(handshake({ maxVersion: 'TLSv1.2' }), { code: /PROTOCOL_VERSION/ });
});

test('a port that is taken is named', async () => {
  const edge = { certificate: new TestCertificate(), reviewers: {}, converters: {}, clock, log };
  const second = new AdmissionServer({ host: '127.0.0.1', port: webhooks.port, ...edge });
  await assert.rejects(second.listen(), new RegExp(`listen for webhooks on 127.0.0.1, port ${webhooks.port}`));
  await second.close();
});

test('closing does not wait for a review that never ends', async () => {
  const own = await TestWebhooks.start({ reviewers: { '/never': () => new Promise(() => {}) }, clock, log });
  const socket = connect({
    host: '127.0.0.1',
    port: own.port,
    servername: webhookName,
    ca: own.certificate.current().caBundle,
  });
  const text = review();
  const timers = clock.pending();
  socket.write(
    `POST /never HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
  socket.on('error', () => {});
  await eventually('the review has begun', () => clock.pending() > timers);
  const closed = own.stop();
  await clock.advance(1_000);
  await closed;
  await own.stop();
});
