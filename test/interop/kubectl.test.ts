import assert from 'node:assert/strict';
import { ApiServer } from '../../src/lab/api-server/api-server.ts';
import type { Json, JsonObject } from '../../src/lab/api-server/json.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { berth, berthDefinition, service } from '../lab/api-server/test-api.ts';
import { debianKubectl, findKubectls, type Kubectl, KubectlSession, type RunOptions } from '../support/kubectl.ts';
import { eventually, suite } from '../support/suite.ts';
import { TestWebhooks } from '../support/webhooks.ts';

const kubectls = findKubectls();
for (const kubectl of kubectls) testWith(kubectl);
if (!kubectls.some(({ path }) => path === debianKubectl)) {
  suite('interop/kubectl').skip(
    'kubectl drives the embedded API server',
    'Debian’s kubectl is not unpacked: run node scripts/setup.mjs test',
  );
}

/** The same table of commands with every kubectl. Each test has a namespace of its own. */
function testWith(kubectl: Kubectl): void {
  const test = suite(`interop/kubectl ${kubectl.version}`);
  const namespace = 'lab';
  let server: ApiServer;
  let session: KubectlSession;
  let url: string;

  test.before(async () => {
    server = new ApiServer({ clock: systemClock, random: systemRandom, log: silentLogger, crds: [berthDefinition] });
    const where = await server.listen({ port: 0, host: '127.0.0.1' });
    const port = 'port' in where ? where.port : 0;
    url = `http://127.0.0.1:${port}`;
    session = new KubectlSession(kubectl, port, namespace);
  });
  test.before.each(() => ok(['create', 'namespace', namespace]));
  test.after.each(async () => {
    session.endStarted();
    await fetch(`${url}/api/v1/namespaces/${namespace}`, { method: 'DELETE' });
  });
  test.after(async () => {
    session.close();
    await server.close();
  });

  /** Runs a command that must succeed, and returns what it printed, without trailing spaces. */
  async function ok(args: readonly string[], options?: RunOptions): Promise<string> {
    const { code, stdout, stderr } = await session.run(args, options);
    assert.equal(code, 0, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout.replaceAll(/ +$/gm, '').trim();
  }

  /** Runs a command that must fail, and returns what it complained of. */
  async function fails(args: readonly string[], options?: RunOptions): Promise<string> {
    const { code, stdout, stderr } = await session.run(args, options);
    assert.notEqual(code, 0, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
    return stderr.trim();
  }

  const apply = (...objects: readonly JsonObject[]) => ok(['apply', '-f', '-'], { input: list(objects) });

  /** Writes the status of an object as a controller would. */
  async function writeStatus(path: string, status: Json): Promise<void> {
    const response = await fetch(`${url}${path}/status`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ status }),
    });
    assert.equal(response.status, 200, await response.text());
  }

  const webPath = `/api/v1/namespaces/${namespace}/services/web`;
  const web = service('web', {
    type: 'LoadBalancer',
    selector: { app: 'web' },
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'https', port: 443 },
    ],
  });

  test('get prints the tables of a real server', async () => {
    assert.equal(
      (await session.run(['get', 'services'])).stderr.trim(),
      `No resources found in ${namespace} namespace.`,
    );
    await apply(web);
    await writeStatus(webPath, { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } });
    const table = (await ok(['get', 'svc'])).split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(table[0], ['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE']);
    assert.deepEqual(table[1]?.slice(0, -1), [
      'web',
      'LoadBalancer',
      '198.19.128.1',
      '192.0.2.10',
      '80:30000/TCP,443:30001/TCP',
    ]);
    assert.match(await ok(['get', 'svc', '-o', 'wide']), /SELECTOR\n.* app=web$/);
    assert.match(await ok(['get', 'svc', '-A']), /^NAMESPACE +NAME .*\nlab +web /);
    assert.equal(await ok(['get', 'svc', '-o', 'name']), 'service/web');
    assert.match(
      await ok(['get', 'svc,namespaces', '--show-labels']),
      /service\/web[\s\S]*namespace\/lab .*kubernetes\.io\/metadata\.name=lab/,
    );
  });

  test('get prints the columns of a custom resource', async () => {
    await apply(berth('north', { depth: 9 }));
    const lines = (await ok(['get', 'berths'])).split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines[0], ['NAME', 'SIDE', 'ADDRESSES', 'FREE', 'READY', 'AGE']);
    assert.deepEqual(lines[1]?.slice(0, 3), ['north', 'port', '["192.0.2.0/24"]']);
    assert.match(await ok(['get', 'bt', 'north', '-o', 'wide']), /DEPTH +AGE\n.* 9 +\d+s$/);
    assert.match(await ok(['get', 'harbour']), /^NAME/, 'by category');
  });

  test('get prints objects as YAML, as JSON and by path', async () => {
    await apply(web);
    assert.match(
      await ok(['get', 'svc', 'web', '-o', 'yaml']),
      /^apiVersion: v1\nkind: Service\nmetadata:\n[\s\S]*\n {2}type: LoadBalancer\n/m,
    );
    const parsed = JSON.parse(await ok(['get', 'svc', '-o', 'json'])) as { kind: string; items: JsonObject[] };
    assert.deepEqual([parsed.kind, parsed.items.length], ['List', 1]);
    assert.equal(await ok(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}']), '30000');
    assert.equal(await ok(['get', 'svc', '-o', 'custom-columns=N:.metadata.name', '--no-headers']), 'web');
  });

  test('get -w shows a change as another row', async () => {
    await apply(web);
    const output = session.start(['get', 'svc', '-w']);
    await eventually('the first row', () => output().includes('<pending>'));
    await writeStatus(webPath, { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } });
    await eventually('the address', () => /^web .* 192\.0\.2\.10 /m.test(output()));
    await ok(['delete', 'svc', 'web']);
    assert.equal(output().match(/^NAME/gm)?.length, 1, 'one heading');
  });

  test('selectors choose', async () => {
    await apply(web, service('plain', {}, { labels: { a: 'b' } }));
    assert.equal(await ok(['get', 'svc', '-l', 'a=b', '-o', 'name']), 'service/plain');
    assert.equal(await ok(['get', 'svc', '--field-selector', 'spec.type=LoadBalancer', '-o', 'name']), 'service/web');
    const complaint = await fails(['get', 'svc', '--field-selector', 'spec.foo=bar']);
    assert.match(complaint, /^Error from server \(BadRequest\): .*field label not supported: spec\.foo$/);
  });

  test('apply creates, changes, and says when there is nothing to do', async () => {
    assert.equal(await apply(web), 'service/web created');
    assert.equal(await apply(web), 'service/web unchanged');
    const other = service('web', {
      type: 'LoadBalancer',
      selector: { app: 'web' },
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    });
    assert.equal(await apply(other), 'service/web configured');
    const ports = await ok([
      'get',
      'svc',
      'web',
      '-o',
      'jsonpath={.spec.ports[*].port} {.spec.ports[*].targetPort} {.spec.ports[0].nodePort}',
    ]);
    assert.equal(ports, '80 53 80 53 30000');
    assert.equal(await apply(berth('north')), 'berth.harbour.example/north created');
    assert.equal(await apply(berth('north', { depth: 3 })), 'berth.harbour.example/north configured');
    assert.equal(await apply(berth('north')), 'berth.harbour.example/north configured');
    assert.equal(await ok(['get', 'bt', 'north', '-o', 'jsonpath={.spec.depth}']), '');
  });

  test('server-side apply owns fields, and conflicts are explained', async () => {
    const serverSide = (manager: string, object: JsonObject, ...more: string[]) =>
      [
        ['apply', '--server-side', `--field-manager=${manager}`, ...more, '-f', '-'],
        { input: JSON.stringify(object) },
      ] as const;
    assert.equal(await ok(...serverSide('one', berth('north'))), 'berth.harbour.example/north serverside-applied');
    const rival = berth('north', { addresses: ['198.18.0.1'] });
    const complaint = await fails(...serverSide('two', rival));
    assert.match(complaint, /Apply failed with 1 conflict: conflict with "one".*: \.spec\.addresses/);
    await ok(...serverSide('two', rival, '--force-conflicts'));
    assert.equal(await ok(['get', 'bt', 'north', '-o', 'jsonpath={.spec.addresses[0]}']), '198.18.0.1');
    await apply(web);
    assert.equal(await ok(...serverSide('kubectl', web, '--force-conflicts')), 'service/web serverside-applied');
  });

  test('edit sends what the editor changed', async () => {
    await apply(web, berth('north'));
    const env = {
      EDITOR: session.script('editor', 'sed -i "s/port: 443/port: 8443/; s/side: port/side: starboard/" "$1"'),
    };
    assert.match(await ok(['edit', 'svc', 'web'], { env }), /service\/web edited/);
    assert.match(await ok(['edit', 'bt', 'north'], { env }), /berth\.harbour\.example\/north edited/);
    assert.equal(await ok(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[*].port}']), '80 8443');
    assert.equal(await ok(['get', 'bt', 'north', '-o', 'jsonpath={.spec.side}']), 'starboard');
    const bad = { EDITOR: session.script('bad-editor', 'sed -i "s/side: starboard/side: left/" "$1"') };
    assert.match(await fails(['edit', 'bt', 'north'], { env: bad }), /"north" is invalid/);
  });

  test('label and annotate', async () => {
    await apply(web, berth('north'));
    assert.equal(await ok(['label', 'svc', 'web', 'tier=front']), 'service/web labeled');
    assert.match(await fails(['label', 'svc', 'web', 'tier=back']), /already has a value/);
    assert.equal(await ok(['annotate', 'bt', 'north', 'note=x']), 'berth.harbour.example/north annotated');
    assert.equal(await ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.labels.tier}']), 'front');
    await ok(['annotate', 'bt', 'north', 'note-']);
    assert.equal(await ok(['get', 'bt', 'north', '-o', 'jsonpath={.metadata.annotations.note}']), '');
  });

  test('patch of each type', async () => {
    await apply(web, berth('north'));
    const ports = ['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[*].name}'];
    await ok(['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":80,"name":"plain"}]}}']);
    assert.equal(await ok(ports), 'plain https');
    await ok(['patch', 'svc', 'web', '--type=json', '-p', '[{"op":"remove","path":"/spec/ports/1"}]']);
    assert.equal(await ok(ports), 'plain');
    await ok(['patch', 'bt', 'north', '--type=merge', '-p', '{"spec":{"depth":5}}']);
    assert.equal(await ok(['get', 'bt', 'north', '-o', 'jsonpath={.spec.depth}']), '5');
    assert.match(
      await ok(['patch', 'bt', 'north', '--type=merge', '-p', '{"spec":{"depth":5}}']),
      /patched \(no change\)$/,
    );
    assert.match(
      await fails(['patch', 'bt', 'north', '-p', '{}']),
      /application\/strategic-merge-patch\+json|unknown format/,
    );
    assert.match(
      await fails(['patch', 'svc', 'web', '--type=json', '-p', '[{"op":"remove","path":"/none"}]']),
      /^The request is invalid/,
    );
  });

  test('describe puts objects and their events together', async () => {
    await apply(web, berth('north'), node('n1'), pod('web-1'));
    const uid = await ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.uid}']);
    const involvedObject = { kind: 'Service', namespace, name: 'web', uid, apiVersion: 'v1' };
    const times = { firstTimestamp: new Date().toISOString(), lastTimestamp: new Date().toISOString() };
    await ok(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'web.1', namespace },
        involvedObject,
        ...times,
        reason: 'Assigned',
        message: 'got 192.0.2.10',
        type: 'Normal',
        count: 1,
        source: { component: 'garpoon' },
      }),
    });
    const described = await ok(['describe', 'svc', 'web']);
    assert.match(described, /Type: +LoadBalancer\n/);
    assert.match(described, /Normal +Assigned +\S+ +garpoon +got 192\.0\.2\.10$/);
    assert.match(
      await ok(['get', 'events']),
      /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +Assigned +service\/web +got 192\.0\.2\.10/,
    );
    assert.match(await ok(['describe', 'node', 'n1']), /InternalIP: +192\.0\.2\.1\n[\s\S]*web-1/);
    assert.match(await ok(['describe', 'pod', 'web-1']), /Image: +nginx/);
    assert.match(await ok(['describe', 'bt', 'north']), /Kind: +Berth\n[\s\S]*Addresses:\n +192\.0\.2\.0\/24/);
  });

  test('delete waits until the object is gone', async () => {
    await apply(service('a'), service('held', {}, { finalizers: ['example.net/hold'] }), berth('north'));
    assert.match(await ok(['delete', 'svc', 'a']), /^service "a" deleted/);
    const waiting = session.run(['delete', 'svc', 'held', '--wait']);
    await eventually(
      'the mark',
      async () => (await ok(['get', 'svc', 'held', '-o', 'jsonpath={.metadata.deletionTimestamp}'])) !== '',
    );
    await ok(['patch', 'svc', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    assert.equal((await waiting).code, 0);
    assert.match(await ok(['delete', 'bt', '--all']), /"north" deleted/);
    assert.equal(await fails(['get', 'svc', 'held']), 'Error from server (NotFound): services "held" not found');
    assert.match(await ok(['delete', 'namespace', namespace]), /deleted/);
  });

  test('wait sees a condition come true', async () => {
    await apply(berth('north'));
    assert.match(await fails(['wait', '--for=condition=Ready', '--timeout=1s', 'bt/north']), /timed out/);
    const waiting = ok(['wait', '--for=condition=Ready', '--timeout=20s', 'bt/north']);
    await writeStatus(`/apis/harbour.example/v1beta1/namespaces/${namespace}/berths/north`, {
      conditions: [{ type: 'Ready', status: 'True' }],
    });
    assert.equal(await waiting, 'berth.harbour.example/north condition met');
    if (kubectl.minor < 23) return; // --for=jsonpath is newer
    await apply(web);
    const address = ok([
      'wait',
      '--for=jsonpath={.status.loadBalancer.ingress[0].ip}=192.0.2.10',
      '--timeout=20s',
      'svc/web',
    ]);
    await writeStatus(webPath, { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } });
    assert.equal(await address, 'service/web condition met');
  });

  test('scale, and rollout status once the controller has reported', async () => {
    await apply(deployment('web'));
    assert.equal(await ok(['scale', 'deployment', 'web', '--replicas=2']), 'deployment.apps/web scaled');
    assert.match(await ok(['get', 'deploy', 'web']), /^web +0\/2 /m);
    const counts = { replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 2 };
    await writeStatus(`/apis/apps/v1/namespaces/${namespace}/deployments/web`, counts);
    assert.match(await ok(['rollout', 'status', 'deployment', 'web', '--timeout=10s']), /successfully rolled out$/);
  });

  test('cordon, drain and uncordon a node', async () => {
    await apply(node('n1'), pod('web-1'));
    assert.equal(await ok(['cordon', 'n1']), 'node/n1 cordoned');
    assert.match(await ok(['get', 'node', 'n1']), /Ready,SchedulingDisabled/);
    await ok(['drain', 'n1', '--force', '--timeout=20s']);
    assert.equal(await ok(['get', 'pods', '-o', 'name']), '');
    assert.equal(await ok(['uncordon', 'n1']), 'node/n1 uncordoned');
  });

  test('commands that make objects of their own', async () => {
    await ok(['create', 'service', 'loadbalancer', 'lb', '--tcp=80:8080']);
    assert.equal(await ok(['get', 'svc', 'lb', '-o', 'jsonpath={.spec.ports[0].targetPort}']), '8080');
    await ok(['create', 'configmap', 'c', '--from-literal=a=b']);
    assert.equal(await ok(['get', 'cm', 'c', '-o', 'jsonpath={.data.a}']), 'b');
    await ok(['create', 'secret', 'generic', 's', '--from-literal=a=b']);
    assert.equal(await ok(['get', 'secret', 's', '-o', 'jsonpath={.data.a}']), 'Yg==');
    await ok(['create', 'deployment', 'd', '--image=nginx']);
    assert.equal(await ok(['get', 'deploy', 'd', '-o', 'jsonpath={.spec.template.spec.containers[0].image}']), 'nginx');
    await ok(['run', 'p', '--image=nginx']);
    await ok(['expose', 'pod', 'p', '--port=80']);
    assert.equal(await ok(['auth', 'can-i', 'delete', 'nodes']), 'yes');
  });

  test('discovery commands', async () => {
    assert.match(await ok(['api-resources']), /^berths +bt +harbour\.example\/v1beta1 +true +Berth$/m);
    assert.match(await ok(['api-versions']), /^harbour\.example\/v1beta1$/m);
    assert.match(await ok(['version']), /v1\.33\.0/);
    assert.match(await ok(['cluster-info']), /is running at/);
    assert.equal(await ok(['get', '--raw', '/readyz']), 'ok');
    assert.match(await ok(['get', 'crd']), /^berths\.harbour\.example +20/m);
  });

  test('wrong input is answered as a real server answers it', async () => {
    await apply(web, berth('north'));
    const cases: [name: string, args: string[], input: JsonObject | undefined, want: RegExp][] = [
      [
        'one cause',
        ['create', '-f', '-'],
        { ...berth('x'), spec: {} },
        /^The Berth "x" is invalid: spec\.addresses: Required value$/,
      ],
      [
        'two causes',
        ['apply', '-f', '-'],
        { ...berth('x'), spec: { side: 'left' } },
        /^The Berth "x" is invalid: \n\* spec\.addresses: Required value\n\* spec\.side: Unsupported value: "left": supported values: "port", "starboard"$/,
      ],
      [
        'a Service without ports',
        ['create', '-f', '-'],
        service('x', { ports: [] }),
        /^The Service "x" is invalid: spec\.ports: Required value$/,
      ],
      [
        'a class that changes',
        ['patch', 'svc', 'web', '--type=merge', '-p', '{"spec":{"loadBalancerClass":"example.net/x"}}'],
        undefined,
        /^The Service "web" is invalid: spec\.loadBalancerClass: Invalid value: "example\.net\/x": may not change once set$/,
      ],
      [
        'twice',
        ['create', '-f', '-'],
        berth('north'),
        /^Error from server \(AlreadyExists\): .*berths\.harbour\.example "north" already exists$/,
      ],
      [
        'a missing object',
        ['get', 'bt', 'none'],
        undefined,
        /^Error from server \(NotFound\): berths\.harbour\.example "none" not found$/,
      ],
      ['a missing kind', ['get', 'unicorns'], undefined, /^error: the server doesn't have a resource type "unicorns"$/],
      [
        'a missing namespace',
        ['-n', 'nowhere', 'create', '-f', '-'],
        berth('x'),
        /^Error from server \(NotFound\): .*namespaces "nowhere" not found$/,
      ],
    ];
    for (const [name, args, input, want] of cases) {
      assert.match(await fails(args, input === undefined ? {} : { input: JSON.stringify(input) }), want, name);
    }
  });

  test('unknown fields are refused by newer kubectl, and warned of by older', async () => {
    const { code, stderr } = await session.run(['apply', '-f', '-'], {
      input: JSON.stringify(berth('x', { nonsense: 1 })),
    });
    if (kubectl.minor < 25) {
      assert.equal(code, 0);
      assert.match(stderr, /^Warning: unknown field "spec\.nonsense"/);
    } else {
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^Error from server \(BadRequest\): .*: Berth in version "v1beta1" cannot be handled as a Berth: strict decoding error: unknown field "spec\.nonsense"/,
      );
    }
  });

  test('what a webhook refuses or warns of is shown', async () => {
    const webhooks = await TestWebhooks.start({
      reviewers: {
        '/review': ({ name }) => ({
          allowed: name !== 'deep',
          message: 'spec.depth is 90: give at most 20',
          warnings: ['berths are scarce'],
        }),
      },
    });
    const { port, caBundle } = webhooks;
    const webhook = {
      name: 'review.harbour.example',
      clientConfig: { url: `https://localhost:${port}/review`, caBundle },
      rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['berths'] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    };
    const kind = 'ValidatingWebhookConfiguration';
    const apiVersion = 'admissionregistration.k8s.io/v1';
    try {
      await apply({ apiVersion, kind, metadata: { name: 'review' }, webhooks: [webhook] });
      const input = (name: string) => ({ input: JSON.stringify(berth(name)) });
      const shallow = await session.run(['apply', '-f', '-'], input('shallow'));
      assert.equal(shallow.code, 0);
      assert.match(shallow.stderr, /^Warning: berths are scarce$/m);
      const complaint = await fails(['apply', '-f', '-'], input('deep'));
      assert.match(complaint, /^Warning: berths are scarce$/m);
      assert.match(
        complaint,
        /admission webhook "review.harbour.example" denied the request: spec.depth is 90: give at/,
      );
    } finally {
      await ok(['delete', 'validatingwebhookconfiguration', 'review']);
      await webhooks.stop();
    }
  });

  if (kubectl.minor >= 27) {
    test('diff and a dry run on the server', async () => {
      await apply(web);
      const labelled = { ...web, metadata: { name: 'web', labels: { a: 'b' } } };
      const { code, stdout } = await session.run(['diff', '-f', '-'], { input: JSON.stringify(labelled) });
      assert.equal(code, 1);
      assert.match(stdout, /^\+ {2}labels:\n\+ {4}a: b$/m);
      const dryRun = await ok(['apply', '--dry-run=server', '-f', '-'], { input: JSON.stringify(labelled) });
      assert.equal(dryRun, 'service/web configured (server dry run)');
      assert.equal(await ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.labels}']), '');
    });
  }
}

function list(objects: readonly JsonObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...objects] });
}

function node(name: string): JsonObject {
  const status = {
    addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    conditions: [{ type: 'Ready', status: 'True' }],
    capacity: { cpu: '2', memory: '4Gi', pods: '10' },
    allocatable: { cpu: '2', memory: '4Gi', pods: '10' },
  };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, status };
}

function pod(name: string): JsonObject {
  const spec = { nodeName: 'n1', containers: [{ name: 'web', image: 'nginx' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
}

function deployment(name: string): JsonObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name, image: 'nginx' }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { selector: { matchLabels: labels }, template },
  };
}
