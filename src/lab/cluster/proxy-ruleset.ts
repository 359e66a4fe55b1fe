import { type Address, type Family, formatAddress } from '../../ip/address.ts';
import type { Backend, ProxyEntry } from './proxy-table.ts';

/**
 * Pure: the input of `nft -f -` that makes the kernel do what the entries say, replacing in one transaction whatever
 * the tables held before. In each family:
 *
 *     prerouting, output ─▶ map services, map node-ports
 *                              │ from inside ─────────────────▶ service-N ─▶ one of endpoint-…, by lot: dnat
 *                              │ from outside ─▶ external-N ───▶ ┘ (marked)
 *                              └ from outside, Local ─▶ local-N ─▶ one of this node's endpoint-…
 *     postrouting: masquerade what is marked
 *     forward, input, output ─▶ map refused ─▶ reject, or drop
 *
 * Only numbers, addresses and keywords make up the text: no name from the API does. Accepted by nft 1.0.6.
 */
export function proxyRuleset(entries: readonly ProxyEntry[]): string {
  const tables = ([4, 6] as const).map((family) => {
    const own = entries.filter((entry) => entry.family === family);
    return familyTable(family, own);
  });
  return tables.join('');
}

/** The nftables table in each family; nothing else may use the name. */
const tableName = 'kube-proxy';

/** Makes the source the node's, so that the answer comes back through it. */
const mark = 'meta mark set meta mark | 0x4000';

const refuse = 'goto refuse';

const words = {
  4: { table: 'ip', type: 'ipv4_addr' },
  6: { table: 'ip6', type: 'ipv6_addr' },
} as const;

function familyTable(family: Family, entries: readonly ProxyEntry[]): string {
  const { table, type } = words[family];
  const services = new VerdictMap(`${type} . inet_proto . inet_service`);
  const refused = new VerdictMap(`${type} . inet_proto . inet_service`);
  const nodePorts = new VerdictMap('inet_proto . inet_service');
  for (const [index, entry] of entries.entries()) {
    const { cluster, external } = verdictsOf(entry, index);
    const send = (address: Address, verdict: string) => {
      const map = verdict === refuse || verdict === 'drop' ? refused : services;
      map.add(`${formatAddress(address)} . ${entry.protocol} . ${entry.port}`, verdict);
    };
    for (const address of entry.clusterAddresses) send(address, cluster);
    for (const address of entry.externalAddresses) send(address, external);
    if (entry.nodePort !== undefined && external !== refuse && external !== 'drop') {
      nodePorts.add(`${entry.protocol} . ${entry.nodePort}`, external);
    }
  }
  const target = `${table} daddr . meta l4proto . th dport vmap`;
  const dispatch = `${target} @services; fib daddr type local meta l4proto . th dport vmap @node-ports;`;
  const refusal = `ct state new ${target} @refused;`;
  const lines = [
    services.declaration('services'),
    nodePorts.declaration('node-ports'),
    refused.declaration('refused'),
    `chain prerouting { type nat hook prerouting priority dstnat; policy accept; ${dispatch} }`,
    `chain output { type nat hook output priority -100; policy accept; ${dispatch} }`,
    'chain postrouting { type nat hook postrouting priority srcnat; policy accept; ' +
      'meta mark & 0x4000 == 0x4000 masquerade fully-random; }',
    ...['forward', 'input', 'output'].map(
      (hook) => `chain refuse-${hook} { type filter hook ${hook} priority 0; policy accept; ${refusal} }`,
    ),
    // An ICMP error that arrives while the client is still inside connect(), as it does over a veth, is forgotten until
    // the SYN is repeated a second later; a reset is not.
    'chain refuse { meta l4proto tcp reject with tcp reset; reject; }',
    ...entries.flatMap(chainsOf),
    ...endpointChains(table, entries),
  ];
  // Added before it is deleted, because deleting what is not there would fail.
  return `add table ${table} ${tableName}
delete table ${table} ${tableName}
table ${table} ${tableName} {
${lines.map((line) => `  ${line}\n`).join('')}}
`;
}

/** What happens to connections from inside and from outside the cluster. `index` is the entry's place in its family. */
function verdictsOf(entry: ProxyEntry, index: number): { readonly cluster: string; readonly external: string } {
  if (entry.backends.length === 0) return { cluster: refuse, external: refuse };
  const cluster = `goto service-${index}`;
  if (entry.localBackends === undefined) return { cluster, external: `goto external-${index}` };
  return { cluster, external: entry.localBackends.length === 0 ? 'drop' : `goto local-${index}` };
}

/** The chains that verdictsOf names. */
function chainsOf(entry: ProxyEntry, index: number): readonly string[] {
  if (entry.backends.length === 0) return [];
  const service = `chain service-${index} { ${spread(entry, entry.backends)} }`;
  if (entry.localBackends === undefined) {
    return [service, `chain external-${index} { ${mark}; goto service-${index}; }`];
  }
  if (entry.localBackends.length === 0) return [service];
  return [service, `chain local-${index} { ${spread(entry, entry.localBackends)} }`];
}

/** To one of the backends, each as likely as the others. */
function spread(entry: ProxyEntry, backends: readonly Backend[]): string {
  const verdicts = backends.map((backend, index) => `${index} : goto ${endpointName(entry, backend)}`);
  return `numgen random mod ${backends.length} vmap { ${verdicts.join(', ')} };`;
}

/** One chain for each backend, whichever entries share it. */
function endpointChains(table: string, entries: readonly ProxyEntry[]): readonly string[] {
  const chains = entries.flatMap((entry) =>
    [...entry.backends, ...(entry.localBackends ?? [])].map((backend) => {
      const address = formatAddress(backend.address);
      const target = backend.address.family === 6 ? `[${address}]` : address;
      // A pod that is sent to itself must not see its own address as the source: it would answer past the node.
      const hairpin = `${table} saddr ${address} ${mark};`;
      const translate = `meta l4proto ${entry.protocol} dnat to ${target}:${backend.port};`;
      return `chain ${endpointName(entry, backend)} { ${hairpin} ${translate} }`;
    }),
  );
  return [...new Set(chains)];
}

/** Chain names may hold dots and slashes, but no colons. */
function endpointName(entry: ProxyEntry, { address, port }: Backend): string {
  return `endpoint-${formatAddress(address).replaceAll(':', '.')}/${entry.protocol}/${port}`;
}

/** Elements by key. The first one wins: two for one key would make the kernel refuse the whole table. */
class VerdictMap {
  readonly #type: string;
  readonly #elements = new Map<string, string>();

  constructor(type: string) {
    this.#type = type;
  }

  add(key: string, verdict: string): void {
    if (!this.#elements.has(key)) this.#elements.set(key, verdict);
  }

  declaration(name: string): string {
    const elements = [...this.#elements].map(([key, verdict]) => `${key} : ${verdict}`);
    const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} }`;
    return `map ${name} { type ${this.#type} : verdict;${content} }`;
  }
}
