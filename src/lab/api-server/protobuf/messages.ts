/**
 * The messages in which kubectl's own commands (`create namespace`, `create service`, `auth can-i`, `drain`) send
 * objects: since 1.32 they speak protobuf and take JSON back. Field numbers are those of the API's generated.proto.
 * Fields that these commands never fill are left out.
 */
export type Message = Readonly<Record<number, readonly [name: string, type: FieldType]>>;

/**
 * Plain values are dropped when they are zero, as `omitempty` does in JSON; `?` marks those that are kept, because
 * the API has them as pointers.
 */
export type FieldType =
  | 'text'
  | 'int'
  | 'int?'
  | 'flag'
  | 'flag?'
  | 'bytes'
  | 'time'
  | 'int-or-text'
  | 'texts'
  | 'text-map'
  | 'bytes-map'
  | { readonly one: Message }
  | { readonly many: Message };

const ownerReference: Message = {
  1: ['kind', 'text'],
  3: ['name', 'text'],
  4: ['uid', 'text'],
  5: ['apiVersion', 'text'],
  6: ['controller', 'flag?'],
  7: ['blockOwnerDeletion', 'flag?'],
};

const objectMeta: Message = {
  1: ['name', 'text'],
  2: ['generateName', 'text'],
  3: ['namespace', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  7: ['generation', 'int'],
  8: ['creationTimestamp', 'time'],
  11: ['labels', 'text-map'],
  12: ['annotations', 'text-map'],
  13: ['ownerReferences', { many: ownerReference }],
  14: ['finalizers', 'texts'],
};

const metadata = ['metadata', { one: objectMeta }] as const;

const servicePort: Message = {
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'int'],
  4: ['targetPort', 'int-or-text'],
  5: ['nodePort', 'int'],
  6: ['appProtocol', 'text'],
};

const serviceSpec: Message = {
  1: ['ports', { many: servicePort }],
  2: ['selector', 'text-map'],
  3: ['clusterIP', 'text'],
  4: ['type', 'text'],
  5: ['externalIPs', 'texts'],
  7: ['sessionAffinity', 'text'],
  8: ['loadBalancerIP', 'text'],
  9: ['loadBalancerSourceRanges', 'texts'],
  10: ['externalName', 'text'],
  11: ['externalTrafficPolicy', 'text'],
  17: ['ipFamilyPolicy', 'text'],
  18: ['clusterIPs', 'texts'],
  19: ['ipFamilies', 'texts'],
  20: ['allocateLoadBalancerNodePorts', 'flag?'],
  21: ['loadBalancerClass', 'text'],
  22: ['internalTrafficPolicy', 'text'],
};

const containerPort: Message = {
  1: ['name', 'text'],
  2: ['hostPort', 'int'],
  3: ['containerPort', 'int'],
  4: ['protocol', 'text'],
};

const container: Message = {
  1: ['name', 'text'],
  2: ['image', 'text'],
  3: ['command', 'texts'],
  4: ['args', 'texts'],
  6: ['ports', { many: containerPort }],
};

const podSpec: Message = {
  2: ['containers', { many: container }],
  7: ['nodeSelector', 'text-map'],
  10: ['nodeName', 'text'],
};

const podTemplate: Message = { 1: metadata, 2: ['spec', { one: podSpec }] };

const deploymentSpec: Message = {
  1: ['replicas', 'int?'],
  2: ['selector', { one: { 1: ['matchLabels', 'text-map'] } }],
  3: ['template', { one: podTemplate }],
};

const resourceAttributes: Message = {
  1: ['namespace', 'text'],
  2: ['verb', 'text'],
  3: ['group', 'text'],
  4: ['version', 'text'],
  5: ['resource', 'text'],
  6: ['subresource', 'text'],
  7: ['name', 'text'],
};

const deleteOptions: Message = {
  1: ['gracePeriodSeconds', 'int?'],
  2: ['preconditions', { one: { 1: ['uid', 'text'], 2: ['resourceVersion', 'text'] } }],
  3: ['orphanDependents', 'flag?'],
  4: ['propagationPolicy', 'text'],
  5: ['dryRun', 'texts'],
};

/** By kind. */
export const messages: Readonly<Record<string, Message>> = {
  Namespace: { 1: metadata },
  ConfigMap: { 1: metadata, 2: ['data', 'text-map'], 3: ['binaryData', 'bytes-map'], 4: ['immutable', 'flag?'] },
  Secret: {
    1: metadata,
    2: ['data', 'bytes-map'],
    3: ['type', 'text'],
    4: ['stringData', 'text-map'],
    5: ['immutable', 'flag?'],
  },
  Service: { 1: metadata, 2: ['spec', { one: serviceSpec }] },
  Deployment: { 1: metadata, 2: ['spec', { one: deploymentSpec }] },
  SelfSubjectAccessReview: {
    1: metadata,
    2: [
      'spec',
      {
        one: {
          1: ['resourceAttributes', { one: resourceAttributes }],
          2: ['nonResourceAttributes', { one: { 1: ['path', 'text'], 2: ['verb', 'text'] } }],
        },
      },
    ],
  },
  Eviction: { 1: metadata, 2: ['deleteOptions', { one: deleteOptions }] },
  DeleteOptions: deleteOptions,
};

/** The wrapper around every object: what it is, and its bytes. */
export const envelope: Message = {
  1: ['typeMeta', { one: { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] } }],
  2: ['raw', 'bytes'],
};
