import type { Json } from '../../../../src/lab/api-server/json.ts';
import type { Body } from '../../../lab/api-server/test-api.ts';
import type { RawApi } from '../../../support/raw-api.ts';

/** What is so of every API server that we work with, the embedded one included. */
export type Fact = { readonly name: string; readonly check: (scene: Scene) => Promise<void> };

/** A namespace of the fact's own, and the paths of collections in it. */
export type Scene = {
  readonly api: RawApi;
  readonly namespace: string;
  readonly configMaps: string;
  readonly services: string;
  readonly berths: string;
  readonly leases: string;
  readonly events: string;
  readonly deployments: string;
  /** Makes the server forget its history: a watch from the first revision comes too late. */
  readonly forget: () => void;
};

export function fact(name: string, check: Fact['check']): Fact {
  return { name, check };
}

export function sceneOf(api: RawApi, namespace: string, forget: () => void): Scene {
  const path = (root: string, plural: string) => `${root}/namespaces/${namespace}/${plural}`;
  return {
    api,
    namespace,
    configMaps: path('/api/v1', 'configmaps'),
    services: path('/api/v1', 'services'),
    events: path('/api/v1', 'events'),
    berths: path('/apis/harbour.example/v1beta1', 'berths'),
    leases: path('/apis/coordination.k8s.io/v1', 'leases'),
    deployments: path('/apis/apps/v1', 'deployments'),
    forget,
  };
}

/** The names of a list's objects, in its order; without those that every namespace of a real cluster has. */
export function namesIn(list: Body): readonly string[] {
  return list.items.map(({ metadata }: Body) => metadata.name).filter((name: string) => name !== 'kube-root-ca.crt');
}

/** `field: message` of each cause of a refusal. */
export function causesOf(refusal: Body): readonly string[] {
  return (refusal.details?.causes ?? []).map(({ field, message }: Body) => `${field}: ${message}`);
}

/** Who owns what: `manager/operation[/subresource]` and the fields. */
export function ownersOf(object: Body): Readonly<Record<string, Json>> {
  return Object.fromEntries(
    (object.metadata.managedFields ?? []).map(({ manager, operation, subresource, fieldsV1 }: Body) => [
      [manager, operation, subresource].filter(Boolean).join('/'),
      fieldsV1,
    ]),
  );
}
