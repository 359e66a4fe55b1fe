/**
 * The objects that only the lab's stand-ins write, or of which they use more than the load balancer does: shapes of
 * apps/v1, core/v1 and discovery.k8s.io/v1 with the fields used here.
 */
import type { EndpointSlice, KubernetesObject } from '../../kubernetes/core.ts';
import { endpointSlices, type ObjectKey, pods, type Resource, resource } from '../../kubernetes/resource.ts';

export type Deployment = KubernetesObject & {
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template?: {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec?: PodSpec;
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
  };
};

export type PodSpec = {
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly containers?: readonly Container[];
};

export type Container = {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[];
};

export type ContainerPort = {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
};

export type LabPod = KubernetesObject & { readonly spec?: PodSpec; readonly status?: PodStatus };

export type PodStatus = {
  readonly phase?: string;
  readonly hostIP?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly startTime?: string;
  readonly conditions?: readonly PodCondition[];
  readonly containerStatuses?: readonly object[];
};

export type PodCondition = {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly lastTransitionTime?: string;
};

export type PortedSlice = EndpointSlice & { readonly ports?: readonly SlicePort[] | null };

export type SlicePort = { readonly name?: string; readonly port?: number; readonly protocol?: string };

export const labPods: Resource<LabPod> = pods as Resource<KubernetesObject> as Resource<LabPod>;
export const portedSlices: Resource<PortedSlice> =
  endpointSlices as Resource<KubernetesObject> as Resource<PortedSlice>;
export const deployments = resource<Deployment>({
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
});

export const serviceNameLabel = 'kubernetes.io/service-name';

export function isReady(pod: LabPod): boolean {
  return (
    pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  );
}

/** The key of the Deployment that a Pod belongs to. The lab has no ReplicaSets in between. */
export function deploymentOf(pod: LabPod): ObjectKey | undefined {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.kind === 'Deployment');
  return owner === undefined ? undefined : `${pod.metadata.namespace}/${owner.name}`;
}

export function matchesLabels(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
