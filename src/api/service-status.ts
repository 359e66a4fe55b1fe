import type { ResourceMeta } from './resource.ts';

/** `servicebgpstatuses.metallb.io/v1beta1`: to which peers a node announces a Service. Written by that node's speaker. */
export type ServiceBGPStatus = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta & { readonly generateName?: string };
  readonly spec?: Readonly<Record<string, never>>;
  readonly status?: {
    readonly node?: string;
    readonly serviceName?: string;
    readonly serviceNamespace?: string;
    /** BGPPeers by name, sorted: whom the node means to tell, whatever the state of the sessions. */
    readonly peers?: readonly string[];
  };
};

/** Labels of this and of ServiceL2Status, by which they are found. */
export const serviceStatusLabels = {
  node: 'metallb.io/node',
  serviceName: 'metallb.io/service-name',
  serviceNamespace: 'metallb.io/service-namespace',
} as const;

type StatusObject = {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly status?: { readonly serviceName?: string; readonly serviceNamespace?: string };
};

/** `namespace/name` of the Service that it is about. The labels are there from the beginning, the status is not. */
export function serviceOfStatus(object: StatusObject | undefined): string | undefined {
  const labels = object?.metadata.labels;
  const name = object?.status?.serviceName ?? labels?.[serviceStatusLabels.serviceName];
  const namespace = object?.status?.serviceNamespace ?? labels?.[serviceStatusLabels.serviceNamespace];
  return name === undefined || namespace === undefined ? undefined : `${namespace}/${name}`;
}
