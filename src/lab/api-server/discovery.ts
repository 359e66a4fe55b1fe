import type { JsonObject } from './json.ts';
import type { Kind } from './kind.ts';
import type { Registry } from './registry.ts';

/** What this server calls itself. kubectl compares the minor version with its own. */
const version = { major: '1', minor: '33', gitVersion: 'v1.33.0+garpoon' } as const;

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const subresourceVerbs = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  eviction: ['create'],
};

/** The discovery document at `path`; undefined when there is none. Plain lists: kubectl takes them since ever. */
export function discoveryDocument(registry: Registry, path: readonly string[]): JsonObject | undefined {
  const [root, group = '', version = ''] = path;
  if (root === 'version' && path.length === 1) return versionDocument();
  if (root === 'api' && path.length === 1) {
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  }
  if (root === 'api' && path.length === 2) return resourceList(registry, '', group);
  if (root !== 'apis') return undefined;
  if (path.length === 3) return resourceList(registry, group, version);
  const groups = [...registry.groups()].map(([name, versions]) => apiGroup(name, versions));
  if (path.length === 1) return { kind: 'APIGroupList', apiVersion: 'v1', groups };
  const found = groups.find(({ name }) => name === group);
  return path.length === 2 && found !== undefined ? { kind: 'APIGroup', apiVersion: 'v1', ...found } : undefined;
}

function versionDocument(): JsonObject {
  const build = {
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
  };
  return { ...version, ...build, platform: 'linux/amd64' };
}

function apiGroup(name: string, versions: readonly string[]): JsonObject {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] ?? {} };
}

function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const kinds = registry.at(group, version);
  if (kinds.length === 0) return undefined;
  const groupVersion = group === '' ? version : `${group}/${version}`;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: kinds.flatMap(apiResources) };
}

function apiResources(kind: Kind): JsonObject[] {
  const { plural, singular, namespaced } = kind;
  const main: JsonObject = { name: plural, singularName: singular, namespaced, kind: kind.kind };
  main.verbs = kind.answer === undefined ? verbs : ['create'];
  if (kind.shortNames.length > 0) main.shortNames = [...kind.shortNames];
  if (kind.categories.length > 0) main.categories = [...kind.categories];
  const below = kind.subresources.map((subresource): JsonObject => {
    const entry = {
      name: `${plural}/${subresource}`,
      singularName: '',
      namespaced,
      verbs: subresourceVerbs[subresource],
    };
    switch (subresource) {
      case 'status':
        return { ...entry, kind: kind.kind };
      case 'scale':
        return { ...entry, kind: 'Scale', group: 'autoscaling', version: 'v1' };
      case 'eviction':
        return { ...entry, kind: 'Eviction', group: 'policy', version: 'v1' };
      default:
        return subresource satisfies never;
    }
  });
  return [main, ...below];
}
