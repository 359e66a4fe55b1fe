import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, within } from './eventually.ts';
import { type Access, RawApi } from './raw-api.ts';

/** One entry of the audit log: who asked for what, and what the answer was. */
export type AuditEntry = {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly responseStatus?: { readonly code: number; readonly message?: string };
};

const startLimit = 60_000;
const stopLimit = 20_000;
const adminToken = 'admin-of-the-test';

type Ports = { readonly etcd: number; readonly api: number };

/**
 * A real kube-apiserver over an etcd of its own, on loopback, with nothing around it: no controllers, so no namespace is
 * emptied and no garbage collected, and no node. TLS by a CA of its own, RBAC, and every request in an audit log.
 */
export class RealApiServer {
  readonly server: string;
  /** The CA's certificate, as PEM. */
  readonly ca: string;
  readonly #programs: string;
  readonly #directory: string;
  readonly #flags: readonly string[];
  readonly #ports: Ports;
  #etcd: ChildProcess | undefined;
  #api: ChildProcess | undefined;
  /** From when to when it was up and not yet ready, by its own clock, which is ours. */
  readonly #starts: { readonly from: number; readonly to: number }[] = [];
  readonly #killAll = () => {
    for (const child of [this.#api, this.#etcd]) child?.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  };

  /** `programs` is the folder that has kube-apiserver and etcd; `flags` are more flags of the former. */
  static async start(programs: string, flags: readonly string[] = []): Promise<RealApiServer> {
    const [etcd, api] = await Promise.all([freePort(), freePort()]);
    const server = new RealApiServer(programs, { etcd, api }, flags);
    try {
      server.#etcd = server.#launch('etcd', etcdFlags(server.#directory, etcd));
      await server.startApi();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  private constructor(programs: string, ports: Ports, flags: readonly string[]) {
    this.#programs = programs;
    this.#flags = flags;
    this.#ports = ports;
    this.server = `https://127.0.0.1:${ports.api}`;
    this.#directory = mkdtempSync(join(tmpdir(), 'garpoon-api-server-'));
    makeCertificates(this.#directory);
    this.ca = readFileSync(join(this.#directory, 'ca.crt'), 'utf8');
    writeFileSync(join(this.#directory, 'tokens.csv'), `${adminToken},admin,admin,system:masters\n`);
    writeFileSync(join(this.#directory, 'audit.yaml'), auditPolicy);
    // Whatever ends this process, they do not outlive it.
    process.once('exit', this.#killAll);
  }

  /** For one who may do everything. */
  get admin(): Access {
    return { server: this.server, ca: this.ca, token: adminToken };
  }

  /** A kubeconfig file for the holder of a token. */
  kubeconfig(name: string, token: string): string {
    const path = join(this.#directory, `${name}.kubeconfig`);
    const cluster = { server: this.server, 'certificate-authority': join(this.#directory, 'ca.crt') };
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
      'current-context': 'test',
    };
    writeFileSync(path, JSON.stringify(kubeconfig), { mode: 0o600 });
    return path;
  }

  /** Starts the API server at its place and resolves when it is ready; what etcd holds is there again. */
  async startApi(): Promise<void> {
    const from = Date.now();
    this.#api = this.#launch('kube-apiserver', [...apiFlags(this.#directory, this.#ports), ...this.#flags]);
    const api = new RawApi(this.admin);
    try {
      const ready = async () => {
        for (const child of [this.#etcd, this.#api]) if (hasEnded(child)) return true;
        return (await api.get('/readyz')).code === 200;
      };
      await eventually('the API server is ready', ready, startLimit);
      if (hasEnded(this.#etcd) || hasEnded(this.#api))
        throw new Error(`a process ended at once:\n${this.#lastWords()}`);
    } catch (cause) {
      throw new Error(`start kube-apiserver of ${this.#programs}: ${(cause as Error).message}\n${this.#lastWords()}`);
    } finally {
      api.close();
    }
    this.#starts.push({ from, to: Date.now() });
  }

  /** Stops the API server as its node would, or kills it. etcd stays. */
  async stopApi(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await end(this.#api, signal);
  }

  /**
   * Every answer so far to the user of this name; without those of a server that was not ready, which denies what it
   * has not yet read the roles of.
   */
  auditOf(username: string): readonly AuditEntry[] {
    const lines = readFileSync(join(this.#directory, 'audit.log'), 'utf8').trimEnd().split('\n');
    return lines
      .map((line) => JSON.parse(line) as AuditEntry)
      .filter(({ user }) => user.username === username)
      .filter(({ requestReceivedTimestamp }) => {
        const at = Date.parse(requestReceivedTimestamp);
        return !this.#starts.some(({ from, to }) => at >= from && at <= to);
      });
  }

  /** Ends both and removes their files. Idempotent. */
  async close(): Promise<void> {
    // What this API server has begun it need not finish.
    await end(this.#api, 'SIGKILL');
    await end(this.#etcd, 'SIGKILL');
    process.off('exit', this.#killAll);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #launch(program: string, flags: readonly string[]): ChildProcess {
    const log = join(this.#directory, `${program}.log`);
    const command = `exec "$0" "$@" >>'${log}' 2>&1`;
    return spawn('sh', ['-c', command, join(this.#programs, program), ...flags], { stdio: 'ignore' });
  }

  #lastWords(): string {
    return ['etcd', 'kube-apiserver']
      .map((program) => {
        const lines = readFileSync(join(this.#directory, `${program}.log`), 'utf8')
          .trimEnd()
          .split('\n');
        return `${program}:\n${lines.slice(-12).join('\n')}`;
      })
      .join('\n');
  }
}

/** Metadata of every answer; the log is written before the answer goes out. */
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{ level: Metadata }]
`;

function etcdFlags(directory: string, port: number): readonly string[] {
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=http://127.0.0.1:${port}`,
    `--advertise-client-urls=http://127.0.0.1:${port}`,
    '--listen-peer-urls=http://127.0.0.1:0',
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

function apiFlags(directory: string, ports: Ports): readonly string[] {
  const file = (name: string) => join(directory, name);
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${ports.api}`,
    `--tls-cert-file=${file('server.crt')}`,
    `--tls-private-key-file=${file('server.key')}`,
    `--token-auth-file=${file('tokens.csv')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file('server.key')}`,
    `--service-account-signing-key-file=${file('server.key')}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=198.19.128.0/17,2001:db8:ffff::/112',
    `--audit-policy-file=${file('audit.yaml')}`,
    `--audit-log-path=${file('audit.log')}`,
    '--audit-log-mode=blocking',
    // As long as this it waits, once asked to end, for watches that go on.
    '--request-timeout=5s',
  ];
}

/** A CA, and a certificate by it for 127.0.0.1; its key also signs the tokens of ServiceAccounts. */
function makeCertificates(directory: string): void {
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  const fresh = ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-days', '2'];
  openssl(...fresh, '-subj', '/CN=ca-of-the-test', '-keyout', 'ca.key', '-out', 'ca.crt');
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'];
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key'];
  openssl(...fresh, ...signed, '-subj', '/CN=api', ...names, '-keyout', 'server.key', '-out', 'server.crt');
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return child === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await within(stopLimit, `process ${child.pid} did not end within ${stopLimit} ms of ${signal}`, () => ended);
}
