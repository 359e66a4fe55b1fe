// The one import of the client library. Its index costs some 85 MB of memory; this module, bundled, 20.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { ApiClient, type ClientOptions } from './client.ts';
import { kubeconfigFiles, tokenFromFile } from './token-file.ts';
import type { Credentials } from './transport.ts';

export type KubeConfigOptions = Omit<ClientOptions, 'server' | 'credentials' | 'namespace'> & {
  /** A kubeconfig file. Without it: `$KUBECONFIG`, `~/.kube/config`, the pod's service account. */
  readonly path?: string | undefined;
  /** Instead of the file's current context. */
  readonly context?: string | undefined;
};

/** What the client library answers when it finds nothing at all. */
const nowhere = 'http://localhost:8080';

/**
 * A client for the cluster that the kubeconfig or the pod's service account names. Throws when none does. Files named
 * there (tokens, certificates) are read again as they rotate.
 */
export function clientFromKubeConfig(options: KubeConfigOptions): ApiClient {
  let config = load(options);
  const cluster = config.getCurrentCluster();
  if (cluster === null || (cluster.server === nowhere && !cluster.skipTLSVerify)) {
    const where = options.path ?? 'KUBECONFIG, ~/.kube/config and the service account of a pod';
    throw new Error(`find a Kubernetes cluster: none is named by ${where}`);
  }
  return new ApiClient({
    ...options,
    server: cluster.server,
    cluster: () => identityOf(cluster),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    async credentials(reload) {
      if (reload) config = load(options);
      const credentials = await credentialsOf(config);
      const user = config.getCurrentUser();
      if (user === null || user.token) return credentials;
      const token = await tokenFromFile(user.name, kubeconfigFiles(options.path));
      if (token === undefined) return credentials;
      return { ...credentials, headers: { ...credentials.headers, Authorization: `Bearer ${token}` } };
    },
  });
}

/**
 * In a Pod every cluster may be at the same place, but no two have the same certificate authority. Its file is read anew
 * each time, as it rotates.
 */
function identityOf({ server, caData, caFile = '' }: { server: string; caData?: string; caFile?: string }): string {
  let authority = caData ?? caFile;
  try {
    if (caData === undefined && caFile !== '') authority = readFileSync(caFile, 'base64');
  } catch {
    // Whoever connects reports it.
  }
  return hash('sha256', `${server}\n${authority}`);
}

function load(options: KubeConfigOptions): KubeConfig {
  const config = new KubeConfig();
  if (options.path === undefined) config.loadFromDefault();
  else config.loadFromFile(options.path);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  return config;
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const options: Credentials & { headers: Record<string, string> } = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const { headers, auth, ca, cert, key, passphrase, pfx, servername, rejectUnauthorized, agent } = options;
  const given = { auth, ca, cert, key, passphrase, pfx, servername, rejectUnauthorized };
  // The library's agent keeps no connection, but it is the one that knows the way through a proxy.
  const throughProxy = config.getCurrentCluster()?.proxyUrl ? { agent } : {};
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...throughProxy,
    // Token files end in a line feed when people write them, which no header may carry.
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()])),
  };
}
