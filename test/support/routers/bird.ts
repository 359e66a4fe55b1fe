import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/ip/address.ts';
import { ask, Daemon } from './daemon.ts';
import { OneDaemon } from './one-daemon.ts';
import {
  type Announcement,
  type BfdSeen,
  familyOf,
  type Neighbor,
  neighborName,
  type PeerSeen,
  type PeerState,
  type Router,
  type RouterDescription,
  type RouterKind,
  type RouteSeen,
  started,
  timersOf,
} from './router.ts';
import { createRunDirectory } from './run-directory.ts';

const program = '/usr/sbin/bird';

export const bird: RouterKind = {
  name: 'BIRD',
  package: 'bird2',
  installed: () => existsSync(program),
  cannot: { unnumbered: 'BIRD is not told of a neighbor by router advertisements: it needs its link-local address' },
  start: (description) => started(new Bird(description)),
};

class Bird extends OneDaemon implements Router {
  constructor(description: RouterDescription) {
    super(description, { netns: description.netns, directory: createRunDirectory('BIRD') });
  }

  async start(): Promise<void> {
    this.#write();
    const files = ['-c', this.#file('bird.conf'), '-s', this.#file('bird.ctl'), '-P', this.#file('bird.pid')];
    this.daemon = Daemon.start(this.place, 'bird', [program, '-f', ...files]);
    await this.daemon.ready(async () => (await this.#birdc('show', 'status')).includes('Daemon is up'));
  }

  async routes(family: Family): Promise<RouteSeen[]> {
    const text = await this.#birdc(
      'show',
      'route',
      'all',
      'table',
      `master${family}`,
      'where',
      'source',
      '=',
      'RTS_BGP',
    );
    return parseRoutes(text);
  }

  async peer(address: string): Promise<PeerSeen> {
    const text = await this.#birdc('show', 'protocols', 'all', this.#protocol(address));
    const field = (pattern: RegExp) => pattern.exec(text)?.[1];
    const state = (field(/BGP state:\s+(\w+)/) ?? 'Idle') as PeerState | 'Down';
    const holdTime = field(/Hold timer:\s+[\d.]+\/(\d+)/);
    const since = field(/^p\d+ .* (\d+-\d+-\d+ \d+:\d+:\d+)/m);
    const received = [...text.matchAll(/Routes:\s+(\d+) imported/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    const lastError = field(/Last error:\s+(.*)/);
    const theirs = text.slice(text.indexOf('Neighbor capabilities'));
    return {
      state: state === 'Down' ? 'Idle' : state,
      prefixesReceived: received,
      gracefulRestart: state === 'Established' && theirs.includes('Graceful restart'),
      ...(holdTime === undefined ? {} : { holdTime: Number(holdTime) }),
      ...(state === 'Established' && since ? { uptime: Math.round((Date.now() - Date.parse(since)) / 1000) } : {}),
      ...(lastError === undefined ? {} : { lastError }),
    };
  }

  async bfd(address: string): Promise<BfdSeen> {
    const line = (await this.#birdc('show', 'bfd', 'sessions'))
      .split('\n')
      .find((each) => each.startsWith(`${address} `));
    // address, interface, state, since (two words), interval, timeout
    const [interval, detection] = /([\d.]+)\s+([\d.]+)\s*$/.exec(line ?? '')?.slice(1) ?? [];
    return {
      up: / Up /.test(line ?? ''),
      ...(interval && detection ? { interval: Number(interval) * 1000, detectionTime: Number(detection) * 1000 } : {}),
    };
  }

  async announce(...announcements: readonly Announcement[]): Promise<void> {
    for (const each of announcements) this.announced.set(each.prefix, each);
    await this.#reconfigure();
  }

  async withdraw(...prefixes: readonly string[]): Promise<void> {
    for (const each of prefixes) this.announced.delete(each);
    await this.#reconfigure();
  }

  #file(name: string): string {
    return join(this.place.directory, name);
  }

  #birdc(...command: readonly string[]): Promise<string> {
    return ask(this.place, '/usr/sbin/birdc', '-s', this.#file('bird.ctl'), ...command);
  }

  #protocol(address: string): string {
    const index = this.description.neighbors.findIndex((each) => neighborName(each) === address);
    if (index === -1) throw new Error(`BIRD has no neighbor ${address}`);
    return `p${index}`;
  }

  #write(): void {
    writeFileSync(this.#file('bird.conf'), configuration(this.description, [...this.announced.values()]));
  }

  async #reconfigure(): Promise<void> {
    this.#write();
    const said = await this.#birdc('configure');
    if (!said.includes('Reconfigured') && !said.includes('Reconfiguration in progress')) {
      throw new Error(`BIRD does not take its configuration: ${said}`);
    }
  }
}

function configuration(description: RouterDescription, announced: readonly Announcement[]): string {
  const statics = ([4, 6] as const).map((family) => {
    const routes = announced.filter(({ prefix }) => familyOf(prefix) === family).map(staticRoute);
    return `protocol static s${family} { ipv${family}; ${routes.join(' ')} }`;
  });
  return [
    'log stderr all;',
    'timeformat protocol iso long;',
    `router id ${description.routerId};`,
    'protocol device { scan time 1; }',
    'protocol direct { ipv4; ipv6; }',
    'protocol kernel k4 { merge paths on; ipv4 { export where source = RTS_BGP; }; }',
    'protocol kernel k6 { merge paths on; ipv6 { export where source = RTS_BGP; }; }',
    'protocol bfd {}',
    'filter announced {',
    '  if source != RTS_STATIC then reject;',
    // BIRD takes a MED away from what it sends to external peers, unless it is set here.
    ...announced.flatMap(({ prefix, med }) =>
      med === undefined ? [] : [`  if net.type = ${netType(prefix)} && net = ${prefix} then bgp_med = ${med};`],
    ),
    '  accept;',
    '}',
    ...statics,
    ...description.neighbors.map(
      (neighbor, i) => `protocol bgp p${i} {\n  ${session(description, neighbor).join('\n  ')}\n}`,
    ),
    '',
  ].join('\n');
}

function session({ asn, addresses }: RouterDescription, neighbor: Neighbor): string[] {
  const { hold, keepalive, connectRetry } = timersOf(neighbor);
  const {
    address,
    interface: name,
    password,
    passive,
    gtsm,
    multihop,
    gracefulRestart,
    extendedNextHop,
    bfd,
  } = neighbor;
  if (address === undefined) throw new Error(bird.cannot.unnumbered);
  const linkLocal = /^fe80:/i.test(address);
  const local = linkLocal ? '' : (addresses[familyOf(address)] ?? '');
  const channel = `import all; export filter announced; next hop self; ${extendedNextHop ? 'extended next hop on;' : ''}`;
  return [
    `local ${local} as ${asn};`,
    `neighbor ${address}${linkLocal ? `%${name}` : ''} as ${neighbor.asn};`,
    // Towards an internal neighbor BIRD takes several hops for granted otherwise.
    multihop === undefined && (gtsm ?? 1) === 1 ? 'direct;' : `multihop ${multihop ?? gtsm};`,
    `hold time ${hold}; startup hold time ${Math.max(hold, 10)}; keepalive time ${keepalive};`,
    `connect delay time ${connectRetry}; connect retry time ${connectRetry}; error wait time ${connectRetry}, ${connectRetry};`,
    `graceful restart ${gracefulRestart === 'helper' ? 'aware' : gracefulRestart ? 'on' : 'off'};`,
    ...(typeof gracefulRestart === 'object' ? [`graceful restart time ${gracefulRestart.restartTime};`] : []),
    ...(password === undefined ? [] : [`password "${password}";`]),
    ...(passive ? ['passive on;'] : []),
    ...(gtsm === undefined ? [] : ['ttl security on;']),
    ...(bfd ? [`bfd { interval ${bfd.interval} ms; multiplier ${bfd.multiplier}; };`] : []),
    ...neighbor.families.map((family) => `ipv${family} { ${channel} };`),
  ];
}

function netType(prefix: string): string {
  return `NET_IP${familyOf(prefix)}`;
}

function staticRoute({ prefix, communities = [], largeCommunities = [] }: Announcement): string {
  const tuple = (text: string) => `(${text.replaceAll(':', ',')})`;
  const attributes = [
    ...communities.map((each) => `bgp_community.add(${tuple(each)});`),
    ...largeCommunities.map((each) => `bgp_large_community.add(${tuple(each)});`),
  ];
  return `route ${prefix} blackhole { ${attributes.join(' ')} };`;
}

/** A prefix is said once, before the first of its paths; what belongs to a path is indented by a tab. */
function parseRoutes(text: string): RouteSeen[] {
  const seen: RouteSeen[] = [];
  let prefix = '';
  for (const block of text.split(/\n(?=\S|\s{8,}\S)/)) {
    const [head = '', ...lines] = block.split('\n');
    const [, named] = /^(\S+\/\d+)\s/.exec(head) ?? [];
    prefix = named ?? prefix;
    const attributes = new Map(
      lines.map((line) => (/^\s*BGP\.(\w+):\s*(.*)$/.exec(line)?.slice(1) as [string, string] | undefined) ?? ['', '']),
    );
    if (!attributes.has('origin')) continue;
    const number = (name: string) => (attributes.has(name) ? Number(attributes.get(name)) : undefined);
    const tuples = (name: string) =>
      [...(attributes.get(name) ?? '').matchAll(/\(([\d, ]+)\)/g)].map(([, each]) => each!.replace(/,\s*/g, ':'));
    const [localPref, med] = [number('local_pref'), number('med')];
    seen.push({
      prefix,
      nextHop: attributes.get('next_hop')!.split(' ')[0]!,
      asPath: (attributes.get('as_path') ?? '').split(' ').filter(Boolean).map(Number),
      ...(localPref === undefined ? {} : { localPref }),
      ...(med === undefined ? {} : { med }),
      communities: tuples('community'),
      largeCommunities: tuples('large_community'),
    });
  }
  return seen;
}
