import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { resource } from '../../src/kubernetes/resource.ts';

export type ConfigMap = KubernetesObject & { readonly data?: Readonly<Record<string, string>> };

export const configMaps = resource<ConfigMap>({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
});
