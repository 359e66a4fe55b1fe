const records = {
  type: 'object',
  required: ['dnsName', 'recordType'],
  properties: {
    dnsName: { type: 'string', minLength: 1, maxLength: 254 },
    recordType: { type: 'string', enum: ['A', 'AAAA', 'CNAME', 'TXT'] },
    recordTTL: { type: 'integer', format: 'int64', minimum: 0 },
    targets: { type: 'array', items: { type: 'string', minLength: 1 } },
  },
};

/** What external-dns calls a DNSEndpoint, as far as addresses are concerned. */
export const dnsEndpointDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'dnsendpoints.externaldns.k8s.io' },
  spec: {
    group: 'externaldns.k8s.io',
    scope: 'Namespaced',
    names: { kind: 'DNSEndpoint', listKind: 'DNSEndpointList', plural: 'dnsendpoints', singular: 'dnsendpoint' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { endpoints: { type: 'array', items: records } } },
              status: { type: 'object', properties: { observedGeneration: { type: 'integer', format: 'int64' } } },
            },
          },
        },
      },
    ],
  },
};
