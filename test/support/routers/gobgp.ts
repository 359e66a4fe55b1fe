import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/ip/address.ts';
import { ask, Daemon } from './daemon.ts';
import { OneDaemon } from './one-daemon.ts';
import {
  type Announcement,
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

const program = '/usr/bin/gobgpd';

export const gobgp: RouterKind = {
  name: 'GoBGP',
  package: 'gobgpd',
  installed: () => existsSync(program),
  cannot: {
    bfd: 'GoBGP 3 has no BFD',
    forwarding: 'GoBGP keeps its table to itself: without FRR beside it, it tells the kernel of no route',
    unnumbered: 'GoBGP looks into the table of neighbors once, when it starts, and does not ask who is there',
  },
  start: (description) => started(new GoBgp(description)),
};

class GoBgp extends OneDaemon implements Router {
  constructor(description: RouterDescription) {
    super(description, { netns: description.netns, directory: createRunDirectory('GoBGP') });
  }

  async start(): Promise<void> {
    // One that was killed leaves it behind.
    rmSync(join(this.place.directory, 'gobgpd.sock'), { force: true });
    const file = join(this.place.directory, 'gobgpd.json');
    writeFileSync(file, JSON.stringify(configuration(this.description)));
    const options = ['-t', 'json', '-f', file, '--api-hosts', this.#socket, '--pprof-disable', '--log-plain'];
    this.daemon = Daemon.start(this.place, 'gobgpd', [program, ...options]);
    const wanted = this.description.neighbors.length;
    await this.daemon.ready(async () => (JSON.parse(await this.#gobgp('neighbor')) as unknown[]).length === wanted);
    await this.announce(...this.announced.values());
  }

  async routes(family: Family): Promise<RouteSeen[]> {
    const table = (await this.#rib('global', 'rib', '-a', `ipv${family}`)) as { readonly [prefix: string]: PathJson[] };
    return Object.entries(table).flatMap(([prefix, paths]) =>
      paths
        .filter((path) => path['neighbor-ip'] && path['neighbor-ip'] !== '<nil>')
        .map((path) => routeSeen(prefix, path)),
    );
  }

  async peer(address: string): Promise<PeerSeen> {
    const all = JSON.parse(await this.#gobgp('neighbor')) as readonly PeerJson[];
    const found = all.find(({ conf, state }) =>
      [conf.neighbor_address, conf.neighbor_interface, state.neighbor_address].includes(address),
    );
    if (found === undefined) throw new Error(`GoBGP has no neighbor ${address}`);
    const { state, timers, afi_safis: families = [] } = found;
    const established = state.session_state === 6;
    const up = Number(timers?.state?.uptime?.seconds ?? 0);
    return {
      state: states[state.session_state ?? 0] ?? 'Idle',
      prefixesReceived: families.reduce((sum, each) => sum + Number(each.state?.received ?? 0), 0),
      gracefulRestart: found.graceful_restart?.peer_restart_time !== undefined,
      ...(established
        ? { holdTime: Number(timers?.state?.negotiated_hold_time ?? 0), uptime: Math.round(Date.now() / 1000 - up) }
        : {}),
    };
  }

  async announce(...announcements: readonly Announcement[]): Promise<void> {
    for (const each of announcements) {
      this.announced.set(each.prefix, each);
      const { prefix, med, communities = [], largeCommunities = [] } = each;
      const list = (name: string, values: readonly string[]) => (values.length === 0 ? [] : [name, values.join(',')]);
      const attributes = [...list('community', communities), ...list('large-community', largeCommunities)];
      const metric = med === undefined ? [] : ['med', `${med}`];
      const family = `ipv${familyOf(prefix)}`;
      await this.#rib('global', 'rib', 'add', '-a', family, prefix, 'origin', 'igp', ...metric, ...attributes);
    }
  }

  async withdraw(...prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) {
      this.announced.delete(prefix);
      await this.#rib('global', 'rib', 'del', '-a', `ipv${familyOf(prefix)}`, prefix);
    }
  }

  get #socket(): string {
    return `unix://${join(this.place.directory, 'gobgpd.sock')}`;
  }

  #gobgp(...command: readonly string[]): Promise<string> {
    return ask(this.place, 'gobgp', '--target', this.#socket, '-j', ...command);
  }

  /** Without `-j` the commands that change something print nothing; with it neither. */
  async #rib(...command: readonly string[]): Promise<unknown> {
    const printed = await this.#gobgp(...command);
    return printed.trim() === '' ? {} : JSON.parse(printed);
  }
}

const states: readonly PeerState[] = ['Idle', 'Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'];

type PathJson = {
  readonly 'neighbor-ip'?: string;
  readonly attrs: readonly AttributeJson[];
};

type AttributeJson = {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly value?:
    | number
    | readonly { readonly ASN: number; readonly LocalData1: number; readonly LocalData2: number }[];
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
};

type PeerJson = {
  readonly conf: { readonly neighbor_address?: string; readonly neighbor_interface?: string };
  readonly state: { readonly session_state?: number; readonly neighbor_address?: string };
  readonly timers?: {
    readonly state?: {
      readonly negotiated_hold_time?: number;
      readonly uptime?: { readonly seconds?: number | string };
    };
  };
  readonly afi_safis?: readonly { readonly state?: { readonly received?: number | string } }[];
  readonly graceful_restart?: { readonly peer_restart_time?: number };
};

/** The numbers of path attributes. */
const code = { asPath: 2, nextHop: 3, med: 4, localPref: 5, communities: 8, reach: 14, largeCommunities: 32 };

function routeSeen(prefix: string, { attrs }: PathJson): RouteSeen {
  const of = (type: number) => attrs.find((each) => each.type === type);
  const localPref = of(code.localPref)?.value;
  const med = of(code.med)?.metric;
  const large = of(code.largeCommunities)?.value;
  return {
    prefix,
    nextHop: (of(code.nextHop) ?? of(code.reach))!.nexthop!,
    asPath: of(code.asPath)?.as_paths?.flatMap(({ asns }) => asns) ?? [],
    ...(typeof localPref === 'number' ? { localPref } : {}),
    ...(med === undefined ? {} : { med }),
    communities: (of(code.communities)?.communities ?? []).map((each) => `${each >>> 16}:${each & 0xffff}`),
    largeCommunities: (Array.isArray(large) ? large : []).map((e) => `${e.ASN}:${e.LocalData1}:${e.LocalData2}`),
  };
}

function configuration(description: RouterDescription): object {
  const { asn, routerId, addresses, neighbors } = description;
  return {
    global: {
      config: { as: asn, 'router-id': routerId, 'local-address-list': Object.values(addresses) },
      'use-multiple-paths': { config: { enabled: true } },
    },
    neighbors: neighbors.map((each) => session(description, each)),
  };
}

function session({ addresses }: RouterDescription, neighbor: Neighbor): object {
  const { hold, keepalive, connectRetry } = timersOf(neighbor);
  const { address, password, passive, gtsm, multihop, gracefulRestart } = neighbor;
  const linkLocal = address === undefined || /^fe80:/i.test(address);
  const restart = { config: { enabled: gracefulRestart !== undefined } };
  return {
    config: {
      ...(address === undefined ? { 'neighbor-interface': neighborName(neighbor) } : {}),
      ...(address === undefined
        ? {}
        : { 'neighbor-address': linkLocal ? `${address}%${neighbor.interface}` : address }),
      'peer-as': neighbor.asn,
      ...(password === undefined ? {} : { 'auth-password': password }),
    },
    transport: {
      config: {
        'passive-mode': passive === true,
        ...(linkLocal ? {} : { 'local-address': addresses[familyOf(address)] }),
      },
    },
    timers: {
      config: {
        'hold-time': hold,
        'keepalive-interval': keepalive,
        'connect-retry': connectRetry,
        'idle-hold-time-after-reset': connectRetry,
      },
    },
    ...(multihop === undefined ? {} : { 'ebgp-multihop': { config: { enabled: true, 'multihop-ttl': multihop } } }),
    ...(gtsm === undefined ? {} : { 'ttl-security': { config: { enabled: true, 'ttl-min': 256 - gtsm } } }),
    ...(gracefulRestart === undefined
      ? {}
      : {
          'graceful-restart': {
            config: {
              enabled: true,
              ...(gracefulRestart === 'helper'
                ? { 'helper-only': true }
                : { 'restart-time': gracefulRestart.restartTime }),
            },
          },
        }),
    // Towards an IPv6 neighbor it offers next hops of IPv6 for IPv4 of its own accord (RFC 8950).
    'afi-safis': neighbor.families.map((family) => ({
      config: { 'afi-safi-name': `ipv${family}-unicast` },
      'mp-graceful-restart': restart,
    })),
  };
}
