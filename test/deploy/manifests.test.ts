import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { flags as controllerFlags } from '../../src/controller/flags.ts';
import { ApiServer } from '../../src/lab/api-server/api-server.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type FlagSet, parseFlags } from '../../src/runtime/flags.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { flags as speakerFlags } from '../../src/speaker/flags.ts';
import { suite } from '../support/suite.ts';
import { misfits } from './fields.ts';
import { containerOf, type Manifest, manifest, manifests } from './manifests.ts';

const test = suite('deploy/manifests');

const controller = manifest('Deployment', 'garpoon-controller');
const speaker = manifest('DaemonSet', 'garpoon-speaker');
const workloads = [controller, speaker];

const server = new ApiServer({ clock: systemClock, random: seededRandom(1), log: silentLogger, crds: [] });
let url: string;
/** What the API server answered to every document, in the order of the files. */
const answers: { readonly document: string; readonly status: number; readonly text: string }[] = [];

test.before(async () => {
  const place = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok('port' in place);
  url = `http://127.0.0.1:${place.port}`;
  for (const object of manifests) answers.push(await create(object));
});
test.after(() => server.close());

test('the API server takes every document, and would drop no field', () => {
  assert.deepEqual(
    answers.filter(({ status }) => status !== 201),
    [],
  );
});

test('every field is one that Kubernetes has, with a value of its type', () => {
  assert.deepEqual(manifests.flatMap(misfits), []);
  const misspelt = { ...speaker, spec: { ...speaker.spec, minReadySecond: 1, selector: 'app=garpoon' } };
  assert.deepEqual(misfits(misspelt as unknown as Manifest), [
    'DaemonSet.spec.selector is no object',
    'DaemonSet.spec has no minReadySecond',
  ]);
});

test('each workload, and the speakers among themselves, select the Pods meant, and no others', async () => {
  for (const { kind, metadata, spec } of workloads) {
    const { metadata: made, spec: inside } = spec!.template;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, ...made }, spec: { ...inside } };
    assert.equal((await create(pod as unknown as Manifest)).status, 201, kind);
  }
  const labels = ({ spec }: Manifest) => Object.entries(spec!.selector.matchLabels).map((pair) => pair.join('='));
  assert.deepEqual(await podsWith(labels(controller).join()), ['garpoon-controller']);
  assert.deepEqual(await podsWith(labels(speaker).join()), ['garpoon-speaker']);
  assert.deepEqual(await podsWith(valuesOf(speakerFlags, speaker)['ml-labels']), ['garpoon-speaker']);
});

for (const workload of workloads) {
  const { kind, metadata } = workload;
  const container = containerOf(workload);

  test(`the arguments of the ${kind} are flags, with values that the program takes`, () => {
    const flags: FlagSet = workload === controller ? controllerFlags : speakerFlags;
    const values = valuesOf(flags, workload);
    assert.equal(values.namespace, metadata.namespace);
    assert.equal(values['pod-name'], facts['metadata.name']);
    if (workload === speaker) assert.equal(values['node-name'], facts['spec.nodeName']);
  });

  test(`the probes of the ${kind} ask where the program answers`, () => {
    const values = valuesOf(workload === controller ? controllerFlags : speakerFlags, workload);
    const host = values['health-probe-host'] || undefined;
    for (const [probe, path] of [
      [container.livenessProbe, '/healthz'],
      [container.readinessProbe, '/readyz'],
    ] as const) {
      const port = container.ports.find(({ name }) => name === probe.httpGet.port)?.containerPort ?? probe.httpGet.port;
      assert.deepEqual([probe.httpGet.host, port, probe.httpGet.path], [host, values['health-probe-port'], path]);
    }
  });

  test(`the port of the ${kind} for metrics is the program's`, () => {
    const values = valuesOf(workload === controller ? controllerFlags : speakerFlags, workload);
    const declared = container.ports.find(({ name }) => name === 'metrics');
    assert.equal(declared?.containerPort, values.port);
  });

  test(`the ${kind} runs the image of this version`, () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    assert.equal(container.image, `garpoon:${version}`);
  });
}

test('the gossip ports are those that the speaker listens on', () => {
  const port = valuesOf(speakerFlags, speaker)['ml-bindport'];
  const gossip = containerOf(speaker).ports.filter(({ name }) => name.startsWith('gossip'));
  const declared = gossip.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  assert.deepEqual(declared.sort(), [`${port}/TCP`, `${port}/UDP`]);
});

test('the port of BFD is that which the speaker listens on', () => {
  const { containerPort, protocol } = containerOf(speaker).ports.find(({ name }) => name === 'bfd') ?? {};
  assert.deepEqual([containerPort, protocol], [valuesOf(speakerFlags, speaker)['bfd-port'], 'UDP']);
});

test('the speaker has raw sockets and nothing else, the controller nothing', () => {
  const confined = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
  // Root, because an added capability is in effect for no other user.
  const speakers = { ...confined, runAsUser: 0, capabilities: { drop: ['ALL'], add: ['NET_RAW'] } };
  assert.deepEqual(containerOf(speaker).securityContext, speakers);
  assert.deepEqual(containerOf(controller).securityContext, { ...confined, capabilities: { drop: ['ALL'] } });
  const { securityContext } = controller.spec!.template.spec;
  assert.equal((securityContext as { readonly runAsNonRoot?: boolean }).runAsNonRoot, true);
});

/** What a Pod's environment takes from the Pod. */
const facts: Readonly<Record<string, string>> = {
  'metadata.namespace': speaker.metadata.namespace!,
  'metadata.name': 'garpoon-7f9c',
  'spec.nodeName': 'node-a',
  'status.podIP': '192.0.2.1',
};

/** The values of the flags as the kubelet would start the container. */
function valuesOf<const S extends FlagSet>(flags: S, workload: Manifest) {
  const { args, env } = containerOf(workload);
  const variables = Object.fromEntries(env.map(({ name, valueFrom }) => [name, facts[valueFrom.fieldRef.fieldPath]]));
  const [, ...argv] = args.map((arg) =>
    arg.replace(/\$\((\w+)\)/g, (_, name) => variables[name] ?? assert.fail(`${arg}: no ${name} in the environment`)),
  );
  const parsed = parseFlags(flags, argv, variables);
  if ('problem' in parsed) assert.fail(parsed.problem);
  assert.deepEqual(parsed.positionals, []);
  return parsed.values;
}

/** Creates the object as `kubectl create --validate=strict` does: it asks first where objects of the kind are. */
async function create(object: Manifest) {
  const { apiVersion, kind, metadata } = object;
  const root = apiVersion.includes('/') ? `${url}/apis/${apiVersion}` : `${url}/api/${apiVersion}`;
  const { resources } = (await (await fetch(root)).json()) as {
    resources: { name: string; kind: string; namespaced: boolean }[];
  };
  const known = resources.find(({ name, kind: one }) => one === kind && !name.includes('/'));
  const inside = known?.namespaced ? `namespaces/${metadata.namespace}/` : '';
  const response = await fetch(`${root}/${inside}${known?.name}?fieldValidation=Strict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(object),
  });
  return { document: `${kind} ${metadata.name}`, status: response.status, text: await response.text() };
}

async function podsWith(labelSelector: string): Promise<readonly string[]> {
  const pods = `${url}/api/v1/namespaces/${speaker.metadata.namespace}/pods`;
  const response = await fetch(`${pods}?${new URLSearchParams({ labelSelector })}`);
  const { items } = (await response.json()) as { items: Manifest[] };
  return items.map(({ metadata }) => metadata.name);
}
