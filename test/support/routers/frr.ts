import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/ip/address.ts';
import { ask, Daemon, type Place } from './daemon.ts';
import {
  type Announcement,
  type BfdSeen,
  communityText,
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
import { createRunDirectory, removeRunDirectory } from './run-directory.ts';

/** Not in the path, where OpenBGPD's daemon has the name of FRR's. */
const programs = '/usr/lib/frr';

export const frr: RouterKind = {
  name: 'FRR',
  package: 'frr',
  installed: () => existsSync(`${programs}/bgpd`),
  cannot: {},
  start: (description) => started(new Frr(description)),
};

class Frr implements Router {
  readonly #description: RouterDescription;
  readonly #place: Place;
  readonly #announced = new Map<string, Announcement>();
  #daemons: Daemon[] = [];

  constructor(description: RouterDescription) {
    this.#description = description;
    const directory = createRunDirectory('FRR');
    // FRR's daemons and vtysh look for each other there, and write what they would say of a crash.
    const binds = ['/etc/frr', '/run/frr', '/var/tmp'].map((at) => ({ at, directory: join(directory, at) }));
    for (const bind of binds) ownedByFrr(bind.directory);
    this.#place = { netns: description.netns, directory, binds };
  }

  async start(): Promise<void> {
    const etc = join(this.#place.directory, 'etc/frr');
    const running = join(this.#place.directory, 'run/frr');
    writeFileSync(join(etc, 'vtysh.conf'), '');
    writeFileSync(join(etc, 'zebra.conf'), '');
    writeFileSync(join(etc, 'bfdd.conf'), bfdConfiguration(this.#description));
    writeFileSync(join(etc, 'bgpd.conf'), configuration(this.#description, [...this.#announced.values()]));
    const bfd = this.#description.neighbors.some((each) => each.bfd) ? ['bfdd'] : [];
    for (const name of ['zebra', ...bfd, 'bgpd']) {
      const options = [
        '-A',
        '127.0.0.1',
        '-P',
        '0',
        '-F',
        'datacenter',
        '--log',
        'stdout',
        '-f',
        `/etc/frr/${name}.conf`,
      ];
      const socket = join(running, name === 'zebra' ? 'zserv.api' : `${name}.vty`);
      // Of a run before: bgpd that finds no zebra behind it tries again after ten seconds.
      rmSync(socket, { force: true });
      const daemon = Daemon.start(this.#place, name, [`${programs}/${name}`, ...options]);
      this.#daemons.push(daemon);
      await daemon.ready(() => existsSync(socket));
    }
    const refused = this.log()
      .split('\n')
      .filter((line) => line.includes('on config line'));
    if (refused.length > 0) throw new Error(`FRR does not take its configuration:\n${refused.join('\n')}`);
    await this.#bgpd.ready(async () => (await this.#show('show bgp summary json')) !== undefined);
  }

  async routes(family: Family): Promise<RouteSeen[]> {
    const table = (await this.#show(`show bgp ipv${family} unicast json detail`)) as { readonly routes: Table };
    return Object.entries(table.routes).flatMap(([prefix, found]) =>
      // The first says what holds of all.
      found
        .slice(1)
        .filter(({ sourced }) => !sourced)
        .map((path) => routeSeen(prefix, path)),
    );
  }

  async peer(address: string): Promise<PeerSeen> {
    const all = (await this.#show(`show bgp neighbors ${address} json`)) as { readonly [name: string]: PeerJson };
    const peer = all[address];
    if (peer === undefined) throw new Error(`FRR has no neighbor ${address}: ${JSON.stringify(all)}`);
    const received = Object.values(peer.addressFamilyInfo ?? {}).map((each) => each.acceptedPrefixCounter ?? 0);
    const established = peer.bgpState === 'Established';
    return {
      state: peer.bgpState,
      prefixesReceived: received.reduce((sum, each) => sum + each, 0),
      gracefulRestart: peer.gracefulRestartInfo?.remoteGrMode?.startsWith('Restart') ?? false,
      ...(established
        ? { holdTime: peer.bgpTimerHoldTimeMsecs / 1000, uptime: Math.round(peer.bgpTimerUpMsec! / 1000) }
        : {}),
      ...(peer.lastResetDueTo === undefined ? {} : { lastError: peer.lastNotificationReason ?? peer.lastResetDueTo }),
    };
  }

  async bfd(address: string): Promise<BfdSeen> {
    const all = (await this.#show('show bfd peers json')) as readonly BfdJson[];
    const found = all.find(({ peer }) => peer === address);
    if (found === undefined) return { up: false };
    const interval = Math.max(found['transmit-interval'], found['remote-receive-interval']);
    const detectionTime =
      found['remote-detect-multiplier'] * Math.max(found['receive-interval'], found['remote-transmit-interval']);
    return { up: found.status === 'up', interval, detectionTime };
  }

  async announce(...announcements: readonly Announcement[]): Promise<void> {
    for (const each of announcements) this.#announced.set(each.prefix, each);
    await this.#configure(...announcements.flatMap(routeMap), ...networks(this.#description, announcements, ''));
  }

  async withdraw(...prefixes: readonly string[]): Promise<void> {
    const known = prefixes.flatMap((each) => this.#announced.get(each) ?? []);
    for (const each of prefixes) this.#announced.delete(each);
    await this.#configure(...networks(this.#description, known, 'no '));
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    await this.#bgpd.signal(signal);
  }

  log(): string {
    return this.#daemons.map((each) => each.log()).join('\n');
  }

  async stop(): Promise<void> {
    await this.#end();
    removeRunDirectory(this.#place.directory);
  }

  get #bgpd(): Daemon {
    return this.#daemons.find(({ name }) => name === 'bgpd')!;
  }

  async #end(): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) await daemon.stop();
    this.#daemons = [];
  }

  async #show(command: string): Promise<unknown> {
    return JSON.parse(await ask(this.#place, 'vtysh', '-c', command));
  }

  async #configure(...commands: readonly string[]): Promise<void> {
    const said = await ask(
      this.#place,
      'vtysh',
      ...['configure terminal', ...commands].flatMap((each) => ['-c', each]),
    );
    if (said.includes('%')) throw new Error(`FRR refuses: ${said}`);
  }
}

type Table = { readonly [prefix: string]: readonly PathJson[] };

type PathJson = {
  readonly sourced?: boolean;
  readonly aspath?: { readonly string: string };
  readonly metric?: number;
  readonly med?: number;
  readonly locPrf?: number;
  readonly community?: { readonly string: string };
  readonly largeCommunity?: { readonly string: string };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
};

type PeerJson = {
  readonly bgpState: PeerState;
  readonly bgpTimerHoldTimeMsecs: number;
  readonly bgpTimerUpMsec?: number;
  readonly lastResetDueTo?: string;
  readonly lastNotificationReason?: string;
  readonly gracefulRestartInfo?: { readonly remoteGrMode?: string };
  readonly addressFamilyInfo?: { readonly [family: string]: { readonly acceptedPrefixCounter?: number } };
};

type BfdJson = {
  readonly peer: string;
  readonly status: string;
  readonly 'receive-interval': number;
  readonly 'transmit-interval': number;
  readonly 'remote-receive-interval': number;
  readonly 'remote-transmit-interval': number;
  readonly 'remote-detect-multiplier': number;
};

function routeSeen(prefix: string, path: PathJson): RouteSeen {
  const words = (text = '') => text.split(' ').filter(Boolean);
  const med = path.metric ?? path.med;
  const nextHop = path.nexthops.find(({ scope }) => scope !== 'link-local') ?? path.nexthops[0]!;
  return {
    prefix,
    nextHop: nextHop.ip,
    asPath: words(path.aspath?.string.replace('Local', '')).map(Number),
    ...(path.locPrf === undefined ? {} : { localPref: path.locPrf }),
    ...(med === undefined ? {} : { med }),
    communities: words(path.community?.string).map(communityText),
    largeCommunities: words(path.largeCommunity?.string),
  };
}

function configuration(description: RouterDescription, announced: readonly Announcement[]): string {
  const { asn, routerId, neighbors } = description;
  const restart = neighbors.map((each) => each.gracefulRestart).find((each) => typeof each === 'object');
  return [
    ...announced.flatMap(routeMap),
    `router bgp ${asn}`,
    `bgp router-id ${routerId}`,
    // Otherwise nothing is taken from, or told to, external peers.
    'no bgp ebgp-requires-policy',
    'no bgp network import-check',
    'no bgp default ipv4-unicast',
    'bgp bestpath as-path multipath-relax',
    ...(restart ? [`bgp graceful-restart restart-time ${restart.restartTime}`] : []),
    ...neighbors.flatMap((each) => session(description, each)),
    ...([4, 6] as const).flatMap((family) => [
      `address-family ipv${family} unicast`,
      ' maximum-paths 64',
      ' maximum-paths ibgp 64',
      ...neighbors
        .filter(({ families }) => families.includes(family))
        .flatMap((each) => [
          ` neighbor ${neighborName(each)} activate`,
          ` neighbor ${neighborName(each)} next-hop-self`,
        ]),
      'exit-address-family',
    ]),
    'exit',
    ...networks(description, announced, ''),
    '',
  ].join('\n');
}

function session({ asn, addresses }: RouterDescription, neighbor: Neighbor): string[] {
  const { hold, keepalive, connectRetry } = timersOf(neighbor);
  const { address, password, passive, gtsm, multihop, gracefulRestart, extendedNextHop, bfd } = neighbor;
  const local = address === undefined || /^fe80:/i.test(address) ? undefined : addresses[familyOf(address)];
  const external = asn !== neighbor.asn;
  const lines = [
    address === undefined ? `interface remote-as ${neighbor.asn}` : `remote-as ${neighbor.asn}`,
    `timers ${keepalive} ${hold}`,
    `timers connect ${connectRetry}`,
    'advertisement-interval 0',
    gracefulRestart === 'helper'
      ? 'graceful-restart-helper'
      : gracefulRestart
        ? 'graceful-restart'
        : 'graceful-restart-disable',
    ...(address !== undefined && neighbor.interface ? [`interface ${neighbor.interface}`] : []),
    ...(local === undefined ? [] : [`update-source ${local}`]),
    ...(password === undefined ? [] : [`password ${password}`]),
    ...(passive ? ['passive'] : []),
    ...(gtsm === undefined ? [] : [`ttl-security hops ${gtsm}`]),
    ...(multihop === undefined || !external ? [] : [`ebgp-multihop ${multihop}`]),
    ...(extendedNextHop ? ['capability extended-nexthop'] : []),
    ...(bfd ? ['bfd', `bfd profile ${profile(bfd)}`] : []),
  ];
  return lines.map((line) => `neighbor ${neighborName(neighbor)} ${line}`);
}

type Bfd = NonNullable<Neighbor['bfd']>;

function profile({ interval, multiplier }: Bfd): string {
  return `by-${interval}-and-${multiplier}`;
}

function bfdConfiguration({ neighbors }: RouterDescription): string {
  const profiles = neighbors.flatMap(({ bfd }) =>
    bfd === undefined
      ? []
      : [
          `profile ${profile(bfd)}`,
          `receive-interval ${bfd.interval}`,
          `transmit-interval ${bfd.interval}`,
          `detect-multiplier ${bfd.multiplier}`,
          // To a neighbor several hops away.
          'minimum-ttl 64',
          'exit',
        ],
  );
  return ['bfd', ...profiles, 'exit', ''].join('\n');
}

/** A network takes its attributes from a route map of its own. */
function routeMap(announcement: Announcement): string[] {
  const { med, communities = [], largeCommunities = [] } = announcement;
  const name = routeMapName(announcement);
  return [
    `no route-map ${name}`,
    `route-map ${name} permit 10`,
    ...(med === undefined ? [] : [`set metric ${med}`]),
    ...(communities.length === 0 ? [] : [`set community ${communities.join(' ')}`]),
    ...(largeCommunities.length === 0 ? [] : [`set large-community ${largeCommunities.join(' ')}`]),
    'exit',
  ];
}

function routeMapName({ prefix }: Announcement): string {
  return `of-${prefix.replaceAll(/[^0-9a-f]/g, '-')}`;
}

function networks({ asn }: RouterDescription, announcements: readonly Announcement[], not: '' | 'no '): string[] {
  return [
    `router bgp ${asn}`,
    ...([4, 6] as const).flatMap((family) => [
      `address-family ipv${family} unicast`,
      ...announcements
        .filter(({ prefix }) => familyOf(prefix) === family)
        .map((each) => `${not}network ${each.prefix} route-map ${routeMapName(each)}`),
      'exit-address-family',
    ]),
    'exit',
  ];
}

function ownedByFrr(directory: string): void {
  const [uid, gid] = ['passwd', 'group'].map((file) =>
    Number(/^frr:[^:]*:(\d+)/m.exec(readFileSync(`/etc/${file}`, 'utf8'))?.[1]),
  );
  mkdirSync(directory, { recursive: true });
  chownSync(directory, uid!, gid!);
}
