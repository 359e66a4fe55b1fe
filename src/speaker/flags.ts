import type { FlagSet } from '../runtime/flags.ts';
import { daemonFlags, healthFlags, metricsFlags } from '../telemetry/daemon.ts';

/** MetalLB's names and environment variables where it has the flag, so that a moved manifest keeps its arguments. */
export const flags = {
  'node-name': { kind: 'text', help: 'name of the Node this speaker runs on', env: 'METALLB_NODE_NAME' },
  ...daemonFlags,
  ...healthFlags('127.0.0.1', '17473'),
  // On a node that MetalLB’s speaker has not left yet, 9120 and 9121 are taken.
  ...metricsFlags('9122'),
  'pod-name': { kind: 'text', help: 'name of this Pod', env: 'METALLB_POD_NAME', default: '' },
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
  'ml-config': {
    kind: 'text',
    help: 'MetalLB’s config.json with settings of the gossip ring, which go before --ml-timing; it need not exist',
    default: '/etc/metallb/memberlist/config.json',
  },
  'ml-timing': {
    kind: 'text',
    help: 'how soon a dead node is noticed: fast, lan (as MetalLB) or wan',
    default: 'fast',
    oneOf: ['fast', 'lan', 'wan'],
  },
  'address-probe': {
    kind: 'text',
    help:
      'whether to ask the LAN if another host has an address that was just assigned: off; warn: announce it, and warn ' +
      'of a host that has it; refuse: announce it only while none has it, which takes a second longer',
    default: 'warn',
    oneOf: ['off', 'warn', 'refuse'],
  },
  'announce-rate': {
    kind: 'integer',
    help: 'most frames a second that announce addresses on one interface; lower it when switches drop them',
    default: '400',
    range: [1, 1_000_000],
  },
  'announce-burst': {
    kind: 'integer',
    help: 'frames that may go out at once before --announce-rate holds them back',
    default: '64',
    range: [1, 65_536],
  },
  'announce-rounds': {
    kind: 'integer',
    help: 'how often an address that moves here is announced; IPv6 at most 3 times',
    default: '5',
    range: [1, 100],
  },
  'announce-interval': {
    kind: 'integer',
    help: 'milliseconds between two rounds of the same address; IPv6 at least 1000',
    default: '1100',
    range: [10, 60_000],
  },
  'announce-refresh': {
    kind: 'integer',
    help: 'announce every address again about every so many seconds, for switches and routers that forget; 0: never',
    default: '0',
    range: [0, 86_400],
  },
  'announce-unicast': {
    kind: 'text',
    help:
      'whom to tell in person as well, for routers that take no notice of what is sent to everyone: off, gateways ' +
      '(of this node’s routes), or neighbors (every host that this node knows)',
    default: 'off',
    oneOf: ['off', 'gateways', 'neighbors'],
  },
  'bfd-port': { kind: 'port', help: 'UDP port of the BFD sessions between speakers', default: '7947' },
  'bfd-interval': {
    kind: 'integer',
    help: 'milliseconds between two BFD packets to another speaker; 0: no sessions, only gossip tells who is alive',
    default: '100',
    range: [0, 10_000],
  },
  'bfd-multiplier': {
    kind: 'integer',
    help: 'how many BFD packets in a row may be missed',
    default: '3',
    range: [2, 50],
  },
  'bgp-type': {
    kind: 'text',
    help:
      'as in which mode of MetalLB it is what a BGPPeer leaves open: frr and frr-k8s, hold time 180 s and metric 0; ' +
      'native, 90 s and no metric',
    env: 'METALLB_BGP_TYPE',
    default: 'frr',
    oneOf: ['frr', 'frr-k8s', 'native'],
  },
  'bgp-drain-time': {
    kind: 'integer',
    help:
      'for how many seconds routers are told to prefer other nodes (RFC 8326) before routes are withdrawn from a node that ' +
      'is drained, or whose speaker stops for good; 0: withdraw at once',
    default: '5',
    range: [0, 60],
  },
  'restart-grace': {
    kind: 'integer',
    help:
      'for how many seconds the others leave this node what it announces when its speaker is restarted by its DaemonSet; ' +
      '0: it hands over',
    default: '5',
    range: [0, 60],
  },
  'silence-after': {
    kind: 'integer',
    help:
      'when this process hangs for so many seconds, answer for no address until it runs again, because other nodes have ' +
      'taken over; 0: go on answering',
    default: '15',
    range: [0, 86_400],
  },
  'state-dir': {
    kind: 'text',
    help:
      'directory on this node’s disk for what is known of the cluster, from which the speaker works when it starts while ' +
      'the API server is away; empty: it waits for the API server',
    default: '',
  },
  'state-max-age': {
    kind: 'integer',
    help: 'seconds after which what is in --state-dir is too old to be used',
    default: '86400',
    range: [60, 31_536_000],
  },
  'lapse-after': {
    kind: 'integer',
    help:
      'when this process is stopped, or kept from the processor, for so many milliseconds, answer for no address until ' +
      'it is decided anew who announces which; 0: go on answering; below 100 counts as 100',
    default: '500',
    range: [0, 86_400_000],
  },
  'exclude-interfaces': {
    kind: 'text',
    help: 'interfaces never announced on, as comma-separated patterns with * and ?',
    default: 'docker*,cbr*,dummy*,virbr*,lxcbr*,veth*,lo,cali*,tunl*,flannel*,kube-ipvs*,cni*,nodelocaldns*,lxc*',
  },
} as const satisfies FlagSet;
