import type { Schema } from '../schema/schema.ts';
import { anything, bool, int32, intOrText, list, mapOf, microTime, object, text, time } from '../schema/shorthand.ts';

/**
 * The fields of the built-in kinds that this project reads or writes. Unknown fields are dropped and wrong types
 * refused, as by the real server; kinds that are not here, and parts given as `anything`, are kept as they come.
 */

const condition = object({
  type: text,
  status: text,
  observedGeneration: { type: 'integer' },
  lastTransitionTime: time,
  reason: text,
  message: text,
});

const objectReference = object({
  kind: text,
  namespace: text,
  name: text,
  uid: text,
  apiVersion: text,
  resourceVersion: text,
  fieldPath: text,
});

const service = object({
  spec: object({
    type: text,
    ports: list(
      object({ name: text, protocol: text, appProtocol: text, port: int32, targetPort: intOrText, nodePort: int32 }),
    ),
    selector: mapOf(text),
    clusterIP: text,
    clusterIPs: list(text),
    externalIPs: list(text),
    sessionAffinity: text,
    sessionAffinityConfig: object({ clientIP: object({ timeoutSeconds: int32 }) }),
    loadBalancerIP: text,
    loadBalancerSourceRanges: list(text),
    loadBalancerClass: { ...text, nullable: true },
    externalName: text,
    externalTrafficPolicy: text,
    internalTrafficPolicy: { ...text, nullable: true },
    trafficDistribution: { ...text, nullable: true },
    healthCheckNodePort: int32,
    publishNotReadyAddresses: bool,
    ipFamilies: list(text),
    ipFamilyPolicy: { ...text, nullable: true },
    allocateLoadBalancerNodePorts: { ...bool, nullable: true },
  }),
  status: object({
    loadBalancer: object({
      ingress: list(
        object({
          ip: text,
          hostname: text,
          ipMode: { ...text, nullable: true },
          ports: list(object({ port: int32, protocol: text, error: text })),
        }),
      ),
    }),
    conditions: list(condition),
  }),
});

const endpointAddress = object({ ip: text, hostname: text, nodeName: text, targetRef: objectReference });

const endpoints = object({
  subsets: list(
    object({
      addresses: list(endpointAddress),
      notReadyAddresses: list(endpointAddress),
      ports: list(object({ name: text, port: int32, protocol: text, appProtocol: text })),
    }),
  ),
});

const endpointSlice = object({
  addressType: text,
  endpoints: list(
    object({
      addresses: list(text),
      conditions: object({
        ready: { ...bool, nullable: true },
        serving: { ...bool, nullable: true },
        terminating: { ...bool, nullable: true },
      }),
      hostname: text,
      targetRef: objectReference,
      nodeName: text,
      zone: text,
      deprecatedTopology: mapOf(text),
      hints: anything,
    }),
  ),
  ports: list(object({ name: text, protocol: text, port: { ...int32, nullable: true }, appProtocol: text })),
});

const lease = object({
  spec: object({
    holderIdentity: { ...text, nullable: true },
    leaseDurationSeconds: { ...int32, nullable: true },
    acquireTime: microTime,
    renewTime: microTime,
    leaseTransitions: { ...int32, nullable: true },
    strategy: text,
    preferredHolder: text,
  }),
});

const event = object({
  involvedObject: objectReference,
  reason: text,
  message: text,
  source: object({ component: text, host: text }),
  firstTimestamp: time,
  lastTimestamp: time,
  count: int32,
  type: text,
  eventTime: microTime,
  series: object({ count: int32, lastObservedTime: microTime }),
  action: text,
  related: objectReference,
  reportingComponent: text,
  reportingInstance: text,
});

export const shapes: Readonly<Record<string, Schema>> = {
  Namespace: object({
    spec: object({ finalizers: list(text) }),
    status: object({ phase: text, conditions: list(condition) }),
  }),
  Node: object({
    spec: object({
      podCIDR: text,
      podCIDRs: list(text),
      providerID: text,
      unschedulable: bool,
      taints: list(object({ key: text, value: text, effect: text, timeAdded: time })),
      externalID: text,
      configSource: anything,
    }),
    status: anything,
  }),
  Service: service,
  Endpoints: endpoints,
  EndpointSlice: endpointSlice,
  Lease: lease,
  Event: event,
  ConfigMap: object({ data: mapOf(text), binaryData: mapOf(text), immutable: bool }),
  Secret: object({ type: text, data: mapOf(text), stringData: mapOf(text), immutable: bool }),
};
