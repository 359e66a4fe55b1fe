import type { FlagSet } from '../runtime/flags.ts';

/** MetalLB's, but for the port, which it does not let one choose. */
export const webhookFlags = {
  'webhook-mode': {
    kind: 'text',
    help: 'enabled or disabled; all replicas serve webhooks, so there are none for that alone',
    default: 'enabled',
    oneOf: ['enabled', 'disabled'],
  },
  'webhook-host': { kind: 'text', help: 'address of the webhooks; empty: every address', default: '' },
  'webhook-port': { kind: 'port', help: 'port of the webhooks', default: '9443' },
  'cert-service-name': {
    kind: 'text',
    help: 'Service by which the API server reaches the webhooks',
    default: 'metallb-webhook-service',
  },
  'webhook-secret': { kind: 'text', help: 'Secret of the webhooks’ certificates', default: 'metallb-webhook-cert' },
  'disable-cert-rotation': {
    kind: 'boolean',
    help: 'serve the certificate in --cert-dir, which somebody else renews and tells the API server of',
  },
  'cert-dir': {
    kind: 'text',
    help: 'has tls.crt and tls.key, for --disable-cert-rotation',
    default: '/tmp/k8s-webhook-server/serving-certs',
  },
  'tls-min-version': {
    kind: 'text',
    help: 'oldest TLS that the webhooks speak: VersionTLS12, VersionTLS13',
    default: 'VersionTLS13',
    oneOf: ['VersionTLS12', 'VersionTLS13'],
  },
} as const satisfies FlagSet;
