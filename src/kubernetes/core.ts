/**
 * The Kubernetes objects we read and write, as JSON carries them, and only the fields we use. Unknown fields stay on
 * the objects at run time, so writing a fetched object back loses nothing.
 */

export type ObjectMeta = {
  readonly name: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
};

export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

export type KubernetesObject = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
};

export type ObjectList<T extends KubernetesObject> = {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  /** Null is how Go's encoder prints a list that was never filled. */
  readonly items: readonly T[] | null;
};

/** The body of every refusal, and of the ERROR event of a watch. */
export type Status = {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
};

/** `metav1.Condition`. */
export type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
};

export type Service = KubernetesObject & { readonly spec?: ServiceSpec; readonly status?: ServiceStatus };

export type ServiceSpec = {
  readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly loadBalancerClass?: string;
  readonly loadBalancerIP?: string;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly allocateLoadBalancerNodePorts?: boolean;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly ('IPv4' | 'IPv6')[];
  readonly ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  readonly ports?: readonly ServicePort[];
  readonly selector?: Readonly<Record<string, string>>;
};

export type ServicePort = {
  readonly name?: string;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  readonly nodePort?: number;
  readonly targetPort?: number | string;
};

export type ServiceStatus = {
  readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] };
  readonly conditions?: readonly Condition[];
};

export type LoadBalancerIngress = {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: 'VIP' | 'Proxy';
  readonly ports?: readonly { readonly port: number; readonly protocol: string; readonly error?: string }[];
};

export type EndpointSlice = KubernetesObject & {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  /** Null is how Go's encoder prints a slice without endpoints. */
  readonly endpoints: readonly Endpoint[] | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
};

export type Endpoint = {
  readonly addresses: readonly string[];
  readonly nodeName?: string;
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
};

export type Node = KubernetesObject & {
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
};

export type Namespace = KubernetesObject & { readonly status?: { readonly phase?: string } };

export type Pod = KubernetesObject & {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
};

/** Values of `data` are base64. */
export type Secret = KubernetesObject & {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
};

/** Both times are MicroTime: `microTimestamp` of `src/runtime/clock.ts`; the API server refuses milliseconds. */
export type Lease = KubernetesObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
};

export type ObjectReference = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
};

export type EventType = 'Normal' | 'Warning';

/** `core/v1` Event. */
export type EventObject = KubernetesObject & {
  readonly involvedObject: ObjectReference;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly source: { readonly component: string; readonly host?: string };
  readonly reportingComponent: string;
  readonly reportingInstance: string;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly count: number;
};

/** `caBundle` is PEM in base64. */
export type WebhookClientConfig = {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly path?: string;
    readonly port?: number;
  };
  readonly caBundle?: string;
};

export type ValidatingWebhookConfiguration = KubernetesObject & {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: WebhookClientConfig }[];
};

export type CustomResourceDefinition = KubernetesObject & {
  readonly spec: {
    readonly conversion?: {
      readonly strategy: 'None' | 'Webhook';
      readonly webhook?: {
        readonly clientConfig?: WebhookClientConfig;
        readonly conversionReviewVersions: readonly string[];
      };
    };
  };
};
