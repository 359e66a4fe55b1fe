import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/ip/address.ts';
import { Daemon } from './daemon.ts';
import { OneDaemon } from './one-daemon.ts';
import {
  type Announcement,
  familyOf,
  type Neighbor,
  type PeerSeen,
  type Router,
  type RouterDescription,
  type RouterKind,
  type RouteSeen,
  started,
  timersOf,
} from './router.ts';
import { createRunDirectory } from './run-directory.ts';

const program = '/usr/sbin/exabgp';

export const exabgp: RouterKind = {
  name: 'ExaBGP',
  package: 'exabgp',
  installed: () => existsSync(program),
  cannot: {
    bfd: 'ExaBGP has no BFD',
    forwarding: 'ExaBGP has no table: it tells programs what it receives',
    'graceful restart': 'ExaBGP has no table in which it could keep the routes of a peer that restarts',
    gtsm: 'ExaBGP sets no TTL on the connections that it accepts',
    unnumbered: 'ExaBGP needs the address of a neighbor',
  },
  start: (description) => started(new ExaBgp(description)),
};

/** Its table is what follows from the events it reports. */
class ExaBgp extends OneDaemon implements Router {
  /** Where to write them. */
  #commands: number | undefined;

  constructor(description: RouterDescription) {
    super(description, { netns: description.netns, directory: createRunDirectory('ExaBGP') });
  }

  async start(): Promise<void> {
    const [commands, events, script] = [this.#file('commands'), this.#file('events'), this.#file('program')];
    this.#closeCommands();
    execFileSync('mkfifo', [commands]);
    // Both ends, so that opening it waits for nobody; who reads it comes to its end when this one is closed.
    this.#commands = openSync(commands, 'r+');
    writeFileSync(events, '');
    // ExaBGP takes commands from the output of a program, and tells it events until it ends itself.
    writeFileSync(script, apiProgram(commands, events));
    writeFileSync(this.#file('exabgp.conf'), configuration(this.description, script));
    this.daemon = Daemon.start(this.place, 'exabgp', [program, this.#file('exabgp.conf')], {
      'exabgp.daemon.user': 'root',
      'exabgp.daemon.daemonize': 'false',
      'exabgp.log.level': 'INFO',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.tcp.bind': Object.values(this.description.addresses).join(' '),
    });
    await this.daemon.ready(() => listens(this.daemon!.pid));
    await this.announce(...this.announced.values());
  }

  async routes(family: Family): Promise<RouteSeen[]> {
    const table = new Map<string, RouteSeen>();
    for (const { type, neighbor } of this.#events()) {
      const peer = neighbor.address.peer;
      if (type === 'state' && neighbor.state === 'down') {
        for (const key of table.keys()) if (key.startsWith(`${peer} `)) table.delete(key);
      }
      const update = type === 'update' ? neighbor.message?.update : undefined;
      for (const { nlri } of Object.values(update?.withdraw ?? {}).flat()) table.delete(`${peer} ${nlri}`);
      for (const [nextHop, prefixes] of Object.values(update?.announce ?? {}).flatMap((each) => Object.entries(each))) {
        for (const { nlri } of prefixes)
          table.set(`${peer} ${nlri}`, routeSeen(nlri, nextHop, update!.attribute ?? {}));
      }
    }
    return [...table.values()].filter(({ prefix }) => familyOf(prefix) === family);
  }

  async peer(address: string): Promise<PeerSeen> {
    const events = this.#events().filter(({ neighbor }) => neighbor.address.peer === address);
    const last = events.findLast(({ type }) => type === 'state');
    const established = last?.neighbor.state === 'up';
    const negotiated = events.findLast(({ type }) => type === 'negotiated')?.neighbor.negotiated;
    const lastError = events.findLast(({ neighbor }) => neighbor.state === 'down')?.neighbor.reason;
    const neighbor = this.description.neighbors.find((each) => each.address === address)!;
    const received = await Promise.all(neighbor.families.map((family) => this.routes(family)));
    return {
      state: established ? 'Established' : last?.neighbor.state === 'connected' ? 'OpenSent' : 'Active',
      prefixesReceived: received.flat().length,
      ...(established ? { uptime: Math.round(Date.now() / 1000 - last.time) } : {}),
      ...(established && negotiated ? { holdTime: negotiated.hold_time } : {}),
      ...(lastError === undefined ? {} : { lastError }),
    };
  }

  async announce(...announcements: readonly Announcement[]): Promise<void> {
    for (const each of announcements) {
      this.announced.set(each.prefix, each);
      this.#command(`announce route ${attributesOf(each)}`);
    }
  }

  async withdraw(...prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) {
      const known = this.announced.get(prefix);
      this.announced.delete(prefix);
      if (known) this.#command(`withdraw route ${attributesOf(known)}`);
    }
  }

  override async stop(): Promise<void> {
    await this.daemon?.stop();
    this.#closeCommands();
    await super.stop();
  }

  #file(name: string): string {
    return join(this.place.directory, name);
  }

  #closeCommands(): void {
    if (this.#commands === undefined) return;
    closeSync(this.#commands);
    this.#commands = undefined;
    rmSync(this.#file('commands'));
  }

  /** Only to the neighbors that take routes of the family. */
  #command(text: string): void {
    const family = familyOf(text.split(' ')[2]!);
    for (const { address, families } of this.description.neighbors) {
      if (families.includes(family)) writeSync(this.#commands!, `neighbor ${address} ${text}\n`);
    }
  }

  #events(): EventJson[] {
    const lines = readFileSync(this.#file('events'), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as EventJson);
  }
}

type EventJson = {
  readonly time: number;
  readonly type: 'state' | 'update' | 'negotiated' | 'open' | 'notification';
  readonly neighbor: {
    readonly address: { readonly peer: string };
    readonly state?: 'up' | 'down' | 'connected';
    readonly reason?: string;
    readonly negotiated?: { readonly hold_time: number };
    readonly message?: { readonly update?: UpdateJson };
  };
};

type UpdateJson = {
  readonly attribute?: AttributesJson;
  readonly announce?: {
    readonly [family: string]: { readonly [nextHop: string]: readonly { readonly nlri: string }[] };
  };
  readonly withdraw?: { readonly [family: string]: readonly { readonly nlri: string }[] };
};

type AttributesJson = {
  readonly 'as-path'?: readonly number[];
  readonly 'local-preference'?: number;
  readonly med?: number;
  readonly community?: readonly (readonly number[])[];
  readonly 'large-community'?: readonly (readonly number[])[];
};

function routeSeen(prefix: string, nextHop: string, attributes: AttributesJson): RouteSeen {
  const { 'local-preference': localPref, med, community = [], 'large-community': large = [] } = attributes;
  return {
    prefix,
    nextHop,
    asPath: attributes['as-path'] ?? [],
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    communities: community.map((each) => each.join(':')),
    largeCommunities: large.map((each) => each.join(':')),
  };
}

/** Gives ExaBGP the commands and keeps its events; ends when ExaBGP does, and when ExaBGP says so. */
function apiProgram(commands: string, events: string): string {
  return [
    // The shell would take its standard input away from a job in the background.
    'exec 3<&0',
    `cat '${commands}' & reader=$!`,
    `cat <&3 >>'${events}' & writer=$!`,
    `trap 'kill $reader $writer' TERM`,
    'wait $writer',
    'kill $reader',
    '',
  ].join('\n');
}

/** At port 179, in the namespace of the process. */
function listens(pid: number): boolean {
  const sockets = ['tcp', 'tcp6'].map((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8'));
  return sockets.some((each) => /:00B3 \S+ 0A /.test(each));
}

function configuration(description: RouterDescription, script: string): string {
  return [
    `process lab {\n  run /bin/sh ${script};\n  encoder json;\n}`,
    ...description.neighbors.map(
      (each) => `neighbor ${each.address} {\n  ${session(description, each).join('\n  ')}\n}`,
    ),
    '',
  ].join('\n');
}

function session({ asn, routerId, addresses }: RouterDescription, neighbor: Neighbor): string[] {
  const { address, password, passive, gtsm, multihop, gracefulRestart, extendedNextHop, families } = neighbor;
  if (address === undefined) throw new Error(exabgp.cannot.unnumbered);
  return [
    `router-id ${routerId};`,
    `local-address ${addresses[familyOf(address)]};`,
    `local-as ${asn};`,
    `peer-as ${neighbor.asn};`,
    `hold-time ${timersOf(neighbor).hold};`,
    `passive ${passive ? 'true' : 'false'};`,
    ...(password === undefined ? [] : [`md5-password "${password}";`]),
    ...(multihop === undefined ? [] : [`outgoing-ttl ${multihop};`]),
    ...(gtsm === undefined ? [] : ['outgoing-ttl 255;', `incoming-ttl ${256 - gtsm};`]),
    'capability {',
    ...(gracefulRestart === undefined
      ? []
      : [`  graceful-restart ${gracefulRestart === 'helper' ? 1 : gracefulRestart.restartTime};`]),
    '  asn4 enable;',
    '  route-refresh enable;',
    ...(extendedNextHop ? ['  nexthop enable;'] : []),
    '}',
    `family { ${families.map((family) => `ipv${family} unicast;`).join(' ')} }`,
    ...(extendedNextHop ? ['nexthop { ipv4 unicast ipv6; }'] : []),
    'api { processes [ lab ]; neighbor-changes; negotiated; receive { parsed; update; notification; } }',
  ];
}

function attributesOf({ prefix, med, communities = [], largeCommunities = [] }: Announcement): string {
  const list = (name: string, values: readonly string[]) =>
    values.length === 0 ? [] : [`${name} [ ${values.join(' ')} ]`];
  return [
    `${prefix} next-hop self`,
    ...(med === undefined ? [] : [`med ${med}`]),
    ...list('community', communities),
    ...list('large-community', largeCommunities),
  ].join(' ');
}
