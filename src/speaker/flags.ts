import type { FlagSet } from '../runtime/flags.ts';
import { daemonFlags, healthFlags } from '../telemetry/daemon.ts';

/** MetalLB's names and environment variables where it has the flag, so that a moved manifest keeps its arguments. */
export const flags = {
  'node-name': { kind: 'text', help: 'name of the Node this speaker runs on', env: 'METALLB_NODE_NAME' },
  ...daemonFlags,
  ...healthFlags('127.0.0.1', '17473'),
  'ignore-exclude-lb': {
    kind: 'boolean',
    help: 'let nodes announce that carry the label node.kubernetes.io/exclude-from-external-load-balancers',
  },
  'ml-bindaddr': {
    kind: 'text',
    help: 'address of this node for gossip; empty: no gossip, and every Node counts as alive',
    env: 'METALLB_ML_BIND_ADDR',
    default: '',
  },
  'ml-bindport': { kind: 'port', help: 'port for gossip, UDP and TCP', env: 'METALLB_ML_BIND_PORT', default: '7946' },
  'ml-labels': {
    kind: 'text',
    help: 'labels of the other speakers’ Pods',
    env: 'METALLB_ML_LABELS',
    default: 'app=garpoon,component=speaker',
  },
  'ml-secret-key-path': {
    kind: 'text',
    help: 'folder with the file secretkey, shared by all speakers; empty: gossip is not encrypted',
    env: 'METALLB_ML_SECRET_KEY_PATH',
    default: '',
  },
  'ml-timing': {
    kind: 'text',
    help: 'how soon a dead node is noticed: fast, lan (as MetalLB) or wan',
    default: 'fast',
    oneOf: ['fast', 'lan', 'wan'],
  },
  'exclude-interfaces': {
    kind: 'text',
    help: 'interfaces never announced on, as comma-separated patterns with * and ?',
    default: 'docker*,cbr*,dummy*,virbr*,lxcbr*,veth*,lo,cali*,tunl*,flannel*,kube-ipvs*,cni*,nodelocaldns*,lxc*',
  },
} as const satisfies FlagSet;
