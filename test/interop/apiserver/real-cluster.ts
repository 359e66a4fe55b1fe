import assert from 'node:assert/strict';
import { ApiClient } from '../../../src/kubernetes/client.ts';
import type { JsonObject } from '../../../src/lab/api-server/json.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type Manifest, manifests } from '../../deploy/manifests.ts';
import type { Body } from '../../lab/api-server/test-api.ts';
import { RawApi } from '../../support/raw-api.ts';
import { RealApiServer } from '../../support/real-api-server.ts';
import { eventually } from '../../support/suite.ts';
import { ControllerProcess } from './controller-process.ts';

/** Where the manifests put Garpoon. */
export const system = 'metallb-system';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** A real API server with everything under deploy/ applied to it, as `kubectl apply --validate=strict` would. */
export class RealCluster {
  readonly server: RealApiServer;
  /** As one who may do everything. */
  readonly admin: RawApi;
  readonly #webhooks: boolean;
  readonly #clients: ApiClient[] = [];

  /**
   * `programs` is the folder that has kube-apiserver and etcd. With `webhooks` the API server calls them where the
   * EndpointSlices of their Service say.
   */
  static async create(
    programs: string,
    { objects = manifests, webhooks = false }: { objects?: readonly Manifest[]; webhooks?: boolean } = {},
  ): Promise<RealCluster> {
    const flags = webhooks ? ['--enable-aggregator-routing=true'] : [];
    const cluster = new RealCluster(await RealApiServer.start(programs, flags), webhooks);
    try {
      // A definition is a place for others, and a namespace too.
      const rank = ({ kind }: Manifest) => ['CustomResourceDefinition', 'Namespace', kind].indexOf(kind);
      for (const object of objects.toSorted((a, b) => rank(a) - rank(b))) await cluster.#create(object);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  private constructor(server: RealApiServer, webhooks: boolean) {
    this.server = server;
    this.#webhooks = webhooks;
    this.admin = new RawApi(server.admin);
  }

  /** What a Pod of this ServiceAccount is handed by the kubelet. */
  async tokenOf(account: string): Promise<string> {
    const path = `/api/v1/namespaces/${system}/serviceaccounts/${account}/token`;
    const { code, body } = await this.admin.post(path, { spec: { expirationSeconds: 3600 } });
    assert.equal(code, 201, body.message);
    return body.status.token;
  }

  /** Our own client, as this ServiceAccount or as one who may do everything. Closed with the cluster. */
  async client(account?: string): Promise<ApiClient> {
    const { server, ca = '', token = '' } = this.server.admin;
    const bearer = account === undefined ? token : await this.tokenOf(account);
    const credentials = async () => ({ ca, headers: { Authorization: `Bearer ${bearer}` } });
    const client = new ApiClient({ server, clock: systemClock, credentials });
    this.#clients.push(client);
    return client;
  }

  /** Starts `garpoon controller` as its Deployment would, and resolves when it is ready. */
  async startController(flags?: readonly string[]): Promise<ControllerProcess> {
    const kubeconfig = this.server.kubeconfig('garpoon-controller', await this.tokenOf('garpoon-controller'));
    return ControllerProcess.start(kubeconfig, system, flags);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.admin.close();
    await this.server.close();
  }

  async #create(object: Manifest): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const collection = await this.collectionOf(apiVersion, kind, metadata.namespace);
    // Judged alone where nobody serves webhooks: nothing could be created any more.
    const dryRun = kind === 'ValidatingWebhookConfiguration' && !this.#webhooks ? '&dryRun=All' : '';
    const { code, body } = await this.admin.post(
      `${collection}?fieldValidation=Strict${dryRun}`,
      object as unknown as JsonObject,
    );
    assert.equal(code, 201, `${kind} ${metadata.name}: ${body.message}`);
    if (kind !== 'CustomResourceDefinition') return;
    await eventually(`${metadata.name} is served`, async () => {
      const { conditions = [] } = (await this.admin.get(`${definitions}/${metadata.name}`)).body.status;
      return conditions.some(({ type, status }: Body) => type === 'Established' && status === 'True');
    });
  }

  /** The path of a kind's collection, from the server's own list of what it serves. */
  async collectionOf(apiVersion: string, kind: string, namespace: string | undefined): Promise<string> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const known = await eventually(`${kind} of ${apiVersion} is served`, async () => {
      const { code, body } = await this.admin.get(root);
      if (code !== 200) return undefined;
      return body.resources.find(({ name, kind: one }: Body) => one === kind && !name.includes('/'));
    });
    const inside = (known as Body).namespaced ? `namespaces/${namespace ?? 'default'}/` : '';
    return `${root}/${inside}${(known as Body).name}`;
  }
}
