import type { DNSEndpointSpec } from '../api/dns-endpoint.ts';
import type { KubernetesObject } from './core.ts';
import { resource } from './resource.ts';

/** The kind of external-dns, which is watched only while a Service asks for it. */

export type DNSEndpointObject = KubernetesObject & { readonly spec?: DNSEndpointSpec };

export const dnsEndpoints = resource<DNSEndpointObject>({
  group: 'externaldns.k8s.io',
  version: 'v1alpha1',
  plural: 'dnsendpoints',
  kind: 'DNSEndpoint',
  namespaced: true,
});
