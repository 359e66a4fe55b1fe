import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { clientFromKubeConfig } from '../../src/kubernetes/kubeconfig.ts';
import { nodes } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { list, ScriptedApi, status } from '../support/scripted-api.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/kubeconfig');

type Folder = { readonly path: string; write(name: string, text: string): string };

async function withFolder(run: (folder: Folder) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'garpoon-kubeconfig-'));
  const write = (name: string, text: string) => {
    writeFileSync(join(path, name), text);
    return join(path, name);
  };
  try {
    await run({ path, write });
  } finally {
    rmSync(path, { recursive: true });
  }
}

/** A server that lists Nodes to whoever comes with the header `authorization: wanted.value`. */
async function withServer(run: (api: ScriptedApi, wanted: { value: string }) => Promise<void>): Promise<void> {
  const api = await ScriptedApi.start();
  const wanted = { value: '' };
  api.on('GET /api/v1/nodes', (request, response) => {
    const right = request.headers.authorization === wanted.value;
    (right ? list('1', []) : status(401, 'Unauthorized'))(request, response);
  });
  try {
    await run(api, wanted);
  } finally {
    await api.stop();
  }
}

/** A kubeconfig is YAML, and JSON is YAML. */
function kubeconfig(cluster: object, user: object): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'main', context: { cluster: 'c', user: 'u', namespace: 'lb-system' } },
      { name: 'broken', context: { cluster: 'absent', user: 'u' } },
    ],
    'current-context': 'main',
  });
}

const plain = (api: ScriptedApi) => ({ server: api.url, 'insecure-skip-tls-verify': true });

const execPlugin = {
  apiVersion: 'client.authentication.k8s.io/v1',
  command: process.execPath,
  args: ['-e', `console.log('{"kind":"ExecCredential","status":{"token":"from-plugin"}}')`],
};

const users: [string, (folder: Folder) => object, string][] = [
  ['a token', () => ({ token: 'secret' }), 'Bearer secret'],
  ['a name and password', () => ({ username: 'me', password: 'secret' }), `Basic ${btoa('me:secret')}`],
  ['an exec plug-in', () => ({ exec: execPlugin }), 'Bearer from-plugin'],
  ['a token file', ({ write }) => ({ tokenFile: write('token', 'on-disk\n') }), 'Bearer on-disk'],
  [
    'a token file beside the kubeconfig',
    ({ write }) => {
      write('token', 'beside');
      return { tokenFile: 'token' };
    },
    'Bearer beside',
  ],
  [
    'the token file of an auth provider',
    ({ write }) => ({ 'auth-provider': { name: 'tokenFile', config: { tokenFile: write('token', 'on-disk\n') } } }),
    'Bearer on-disk',
  ],
];

for (const [name, user, header] of users) {
  test(`comes in with ${name}`, () =>
    withFolder((folder) =>
      withServer(async (api, wanted) => {
        wanted.value = header;
        const path = folder.write('config', kubeconfig(plain(api), user(folder)));
        const client = clientFromKubeConfig({ path, clock: systemClock });
        await client.list(nodes);
        assert.equal(api.requests.length, 1, 'at the first try');
        assert.deepEqual([client.server, client.namespace], [api.url, 'lb-system']);
        client.close();
      }),
    ));
}

const rotations: [string, (folder: Folder, cluster: object, token: string) => string][] = [
  ['in the kubeconfig', ({ write }, cluster, token) => write('config', kubeconfig(cluster, { token }))],
  [
    'in a token file',
    ({ write }, cluster, token) => write('config', kubeconfig(cluster, { tokenFile: write('token', token) })),
  ],
  [
    'in a file of an auth provider',
    ({ write }, cluster, token) => {
      const tokenFile = write('token', token);
      return write('config', kubeconfig(cluster, { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }));
    },
  ],
];

for (const [name, write] of rotations) {
  test(`a token that was replaced ${name} is taken up when the old one is refused`, () =>
    withFolder((folder) =>
      withServer(async (api, wanted) => {
        const path = write(folder, plain(api), 'first');
        wanted.value = 'Bearer first';
        const client = clientFromKubeConfig({ path, clock: systemClock });
        await client.list(nodes);
        write(folder, plain(api), 'second');
        wanted.value = 'Bearer second';
        await client.list(nodes);
        client.close();
      }),
    ));
}

test('a context that leads nowhere is refused', () =>
  withFolder(async ({ write }) => {
    const path = write('config', kubeconfig({ server: 'https://192.0.2.1' }, {}));
    for (const context of ['broken', 'absent']) {
      assert.throws(
        () => clientFromKubeConfig({ path, context, clock: systemClock }),
        /find a Kubernetes cluster: none/,
      );
    }
  }));

test('without any configuration it says where it looked', () =>
  withFolder(async ({ path }) => {
    const { KUBECONFIG, HOME } = process.env;
    delete process.env.KUBECONFIG;
    process.env.HOME = path;
    try {
      assert.throws(
        () => clientFromKubeConfig({ clock: systemClock }),
        /none is named by KUBECONFIG, ~\/.kube\/config/,
      );
    } finally {
      process.env.HOME = HOME;
      if (KUBECONFIG !== undefined) process.env.KUBECONFIG = KUBECONFIG;
    }
  }));

const tlsTests: [string, (world: TlsWorld) => Promise<void>][] = [
  [
    'a server is trusted by the authority in the kubeconfig, and shown the client certificate',
    async ({ seen, clientFor, authority, certificate, key }) => {
      const client = clientFor(
        { 'certificate-authority': authority },
        { 'client-certificate': certificate, 'client-key': key },
      );
      await client.list(nodes);
      assert.deepEqual(seen, ['client of garpoon']);
      client.close();
    },
  ],
  [
    'a server of an unknown authority is not talked to',
    async ({ seen, clientFor }) => {
      const client = clientFor({}, { token: 'secret' });
      await assert.rejects(client.list(nodes), { code: 'unreachable', message: /self-signed|unable to verify/ });
      assert.deepEqual(seen, []);
      client.close();
    },
  ],
  [
    'a server under another name is not talked to, unless the kubeconfig names it',
    async ({ seen, clientFor, authority }) => {
      const client = clientFor(
        { 'certificate-authority': authority, 'tls-server-name': 'other.example' },
        { token: 'x' },
      );
      await assert.rejects(client.list(nodes), { code: 'unreachable', message: /other\.example/ });
      assert.deepEqual(seen, []);
      client.close();
    },
  ],
];

type TlsWorld = {
  /** The common name of the client certificate of each request. */
  readonly seen: string[];
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  clientFor(cluster: object, user: object): ReturnType<typeof clientFromKubeConfig>;
};

async function withTlsServer(run: (world: TlsWorld) => Promise<void>): Promise<void> {
  await withFolder(async ({ path, write }) => {
    const authority = certify(path, 'authority', 'test authority');
    const server = certify(path, 'server', 'localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const { certificate, key } = certify(path, 'client', 'client of garpoon', 'extendedKeyUsage=clientAuth');
    const seen: string[] = [];
    const listening = https.createServer(
      {
        ca: readFileSync(authority.certificate),
        cert: readFileSync(server.certificate),
        key: readFileSync(server.key),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => {
        const socket = request.socket as TLSSocket;
        seen.push(socket.authorized ? String(socket.getPeerCertificate().subject.CN) : 'nobody');
        response.end('{"metadata":{},"items":[]}');
      },
    );
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    try {
      await run({
        seen,
        authority: authority.certificate,
        certificate,
        key,
        clientFor: (cluster, user) =>
          clientFromKubeConfig({
            path: write('config', kubeconfig({ server: `https://127.0.0.1:${port}`, ...cluster }, user)),
            clock: systemClock,
          }),
      });
    } finally {
      listening.closeAllConnections();
      listening.close();
    }
  });
}

test('tells clusters apart by place and by authority, which may be renewed', () =>
  withFolder(async ({ write }) => {
    const file = write('ca.crt', 'first');
    const clusterOf = (server: string, authority: object) => {
      const cluster = { server, 'skip-tls-verify': true, ...authority };
      const text = JSON.stringify({
        'current-context': 'c',
        clusters: [{ name: 'c', cluster }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      });
      const client = clientFromKubeConfig({ path: write('kubeconfig', text), clock: systemClock });
      client.close();
      return client;
    };
    const one = clusterOf('https://10.96.0.1', { 'certificate-authority': file });
    const before = one.cluster();
    assert.equal(clusterOf('https://10.96.0.1', { 'certificate-authority': file }).cluster(), before);
    const inline = { 'certificate-authority-data': Buffer.from('first').toString('base64') };
    assert.equal(clusterOf('https://10.96.0.1', inline).cluster(), before);
    const others = [
      clusterOf('https://10.96.0.2', { 'certificate-authority': file }),
      clusterOf('https://10.96.0.1', { 'certificate-authority-data': 'dGhpcmQ=' }),
      clusterOf('https://10.96.0.1', { 'certificate-authority': write('other.crt', 'second') }),
      clusterOf('https://10.96.0.1', { 'certificate-authority': '/nowhere/ca.crt' }),
      clusterOf('https://10.96.0.1', {}),
    ].map((client) => client.cluster());
    assert.equal(new Set([before, ...others]).size, 6);
    write('ca.crt', 'renewed');
    assert.notEqual(one.cluster(), before);
  }));

/** A key and a certificate in `folder`, signed by the one called `authority`, or by itself when it is that one. */
function certify(folder: string, name: string, commonName: string, extension?: string) {
  const file = (suffix: string) => join(folder, `${name}.${suffix}`);
  const signer =
    name === 'authority' ? [] : ['-CA', join(folder, 'authority.crt'), '-CAkey', join(folder, 'authority.key')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', file('key'), '-out', file('crt')];
  const extras = extension === undefined ? [] : ['-addext', extension];
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, ...files, '-subj', `/CN=${commonName}`, '-days', '2', ...signer, ...extras],
    {
      stdio: 'pipe',
    },
  );
  return { certificate: file('crt'), key: file('key') };
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

for (const [name, run] of tlsTests) {
  if (hasOpenssl) test(name, () => withTlsServer(run));
  else test.skip(name, 'needs openssl to make certificates');
}
