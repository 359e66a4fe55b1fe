import assert from 'node:assert/strict';
import { eventually, suite } from '../../support/suite.ts';
import { configMap, configMaps, TestApi } from './test-api.ts';

const test = suite('lab/api-server/faults');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

test('closeWatches ends every open watch and leaves new ones alone', async () => {
  const watches = [await api.watch(configMaps), await api.watch('/api/v1/services')];
  api.server.faults.closeWatches();
  await Promise.all(watches.map((watch) => watch.ended));
  const later = await api.watch(configMaps);
  await api.post(configMaps, configMap('a'));
  await eventually('an event', () => later.log.join() === 'ADDED a');
});

test('a paused server takes requests and answers when it is resumed', async () => {
  const watch = await api.watch(configMaps);
  const { faults } = api.server;
  faults.pause();
  let answered = false;
  const request = api.post(configMaps, configMap('a')).then((reply) => {
    answered = true;
    return reply;
  });
  const probe = await fetch(`${api.url}/healthz`, { signal: AbortSignal.timeout(100) }).catch(() => 'no answer');
  assert.deepEqual([probe, answered, watch.log], ['no answer', false, []]);
  faults.resume();
  assert.equal((await request).code, 201);
  await eventually('the event', () => watch.log.join() === 'ADDED a');
});

test('compaction does not disturb a watch that has seen everything', async () => {
  const watch = await api.watch(configMaps);
  await api.post(configMaps, configMap('a'));
  api.server.faults.compact();
  await api.post(configMaps, configMap('b'));
  await eventually('both events', () => watch.log.join() === 'ADDED a,ADDED b');
});

test('errorRate fails that share of the requests with 500', async () => {
  api.server.faults.errorRate = 1;
  const { code, body } = await api.get(configMaps);
  assert.deepEqual([code, body.reason], [500, 'InternalError']);
  api.server.faults.errorRate = 0.5;
  const codes: number[] = [];
  for (let i = 0; i < 60; i++) codes.push((await api.get(configMaps)).code);
  const failed = codes.filter((one) => one === 500).length;
  assert.ok(failed > 15 && failed < 45, `${failed} of 60`);
  api.server.faults.errorRate = 0;
  assert.equal((await api.get(configMaps)).code, 200);
});

test('delay holds every answer back by that long', async () => {
  api.server.faults.delay(500);
  let answered = false;
  const request = api.get(configMaps).then((reply) => {
    answered = true;
    return reply;
  });
  await eventually('the answer', async () => {
    if (!answered) await api.clock.advance(100);
    return answered;
  });
  assert.ok(api.clock.now() >= 500, `answered after ${api.clock.now()} ms`);
  assert.equal((await request).code, 200);
});
