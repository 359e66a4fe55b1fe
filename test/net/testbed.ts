import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { formatAddress } from '../../src/ip/address.ts';
import type { InterfaceState } from '../../src/layer2/responder.ts';
import { addCable, connect, type End, Netns } from '../support/netns.ts';
import { PacketIo, type Received } from '../support/packet-io.ts';
import {
  type ArpFrame,
  allNodes,
  arpOperation,
  arpRequest,
  broadcastMac,
  type Frame,
  linkLayerOption,
  type NdpFrame,
  ndpOption,
  ndpType,
  neighborSolicitation,
} from '../support/packets.ts';
import { ResponderProcess, type ResponderProcessOptions } from '../support/responder-process.ts';
import type { Wish } from '../support/responder-program.ts';
import { eventually } from '../support/suite.ts';

/**
 * A client and a node, each a namespace of its own, joined by a cable or by a switch that snoops on MLD:
 *
 *   client  c0 ─────────── n0  node, where the responder runs
 *
 * Both have addresses that their kernels answer for. `wire` sends and receives on c0, in the name of stations that do
 * not exist, so that no kernel has an opinion about them.
 */
export const client = { mac: '02:00:00:00:00:0c', v4: '198.18.0.1', v6: '2001:db8::1' } as const;
export const node = { mac: '02:00:00:00:00:0f', v4: '198.18.0.2', v6: '2001:db8::2' } as const;
export const station = { mac: '02:00:00:00:00:51', v4: '198.18.0.51', v6: '2001:db8::51' } as const;

/** What the responder is told to serve, if not said otherwise. No kernel here has these. */
export const vip = { v4: '198.18.1.10', v6: '2001:db8::a:10' } as const;

// Served always, asked for by a station of its own: whoever answers this has dealt with what came before. Every table
// has one of its own, so it tells that this very table is in use. All of IPv6 are of one solicited-node group.
const beaconOf = (table: number) => ({
  v4: `198.18.255.${1 + (table % 250)}`,
  v6: `2001:db8:${(table + 1).toString(16)}::beac`,
});
const beaconAsker = { mac: '02:00:00:00:00:fe', v4: '198.18.255.254', v6: '2001:db8::fe' } as const;

export type TestbedOptions = ResponderProcessOptions & { readonly joinedBy?: 'cable' | 'switch' };

export class Testbed {
  static async create({ joinedBy = 'cable', ...options }: TestbedOptions = {}): Promise<Testbed> {
    const spaces = { client: Netns.create('client'), node: Netns.create('node') };
    const ends = [
      { netns: spaces.client, name: 'c0', ...client },
      { netns: spaces.node, name: 'n0', ...node },
    ] as const;
    const between = joinedBy === 'switch' ? connectBySwitch(...ends) : undefined;
    if (joinedBy === 'cable') connect(...ends);
    for (const { netns, name, v4, v6 } of ends) {
      netns.ip('addr', 'add', `${v4}/15`, 'dev', name);
      netns.ip('addr', 'add', `${v6}/64`, 'dev', name, 'nodad');
    }
    const wire = await PacketIo.open(spaces.client, 'c0');
    const responder = await ResponderProcess.start(spaces.node, options);
    return new Testbed(spaces, between, wire, responder);
  }

  readonly client: Netns;
  readonly node: Netns;
  readonly wire: PacketIo;
  readonly responder: ResponderProcess;
  readonly #switch: Netns | undefined;
  readonly #plugged: PacketIo[] = [];
  #tables = 0;

  private constructor(
    spaces: { readonly client: Netns; readonly node: Netns },
    between: Netns | undefined,
    wire: PacketIo,
    responder: ResponderProcess,
  ) {
    this.client = spaces.client;
    this.node = spaces.node;
    this.#switch = between;
    this.wire = wire;
    this.responder = responder;
  }

  /** Where the switch's ports are: `p-c0`, `p-n0` and so on, in the bridge `br0`. */
  get switch(): Netns {
    assert.ok(this.#switch, 'no switch joins client and node');
    return this.#switch;
  }

  /** Serves the addresses, and the beacons, on every interface or where the wish says. Resolves once that is so. */
  async serve(...wishes: readonly (string | Wish)[]): Promise<void> {
    this.#tables += 1;
    const all = [this.#beacon.v4, this.#beacon.v6, ...wishes];
    await this.responder.setAnnouncements(
      all.map((wish) => (typeof wish === 'string' ? { address: wish, interfaces: 'all' } : wish)),
    );
    // A request may come before the table is in use.
    await eventually('ARP is answered', () => this.arpBarrier({ limit: 100 }));
    await eventually('NDP is answered', () => this.ndpBarrier({ limit: 100 }));
  }

  get #beacon() {
    return beaconOf(this.#tables);
  }

  /** Plugs in one more cable between client and node. Nothing that its client end receives is missed. */
  async plug(name: string, mac: string): Promise<PacketIo> {
    const clientEnd = `c-${name}`;
    addCable({ netns: this.client, name: clientEnd }, { netns: this.node, name, mac });
    this.client.ip('link', 'set', clientEnd, 'up');
    const wire = await PacketIo.open(this.client, clientEnd);
    this.#plugged.push(wire);
    this.node.ip('link', 'set', name, 'up');
    return wire;
  }

  /** Plugs one more interface of the node into the switch. */
  plugIntoSwitch(name: string, mac: string): void {
    plugInto(this.switch, { netns: this.node, name, mac });
  }

  /** `station` asks for the address, by ARP or Neighbour Discovery, and gets an answer. */
  ask(address: string, { wire = this.wire, limit }: BarrierOptions = {}): Promise<Received> {
    return wire.ask(requestFor(address), `an answer for ${address}`, isAnswerToStation(address), limit);
  }

  /** Fails if a request of `station` for the address draws an answer. */
  async expectNoAnswer(address: string): Promise<void> {
    const request = requestFor(address);
    if (request.kind === 'arp') await this.expectNoArpAnswer(address, request);
    if (request.kind === 'ndp') await this.expectNoAdvertisement(address, request);
  }

  /** Sends frames and fails if any draws an ARP answer that is not the kernel's. */
  async expectNoArpAnswer(what: string, ...frames: readonly (Frame | Uint8Array)[]): Promise<void> {
    await this.wire.expectSilence(`${what} draws no answer`, frames, isArpAnswer, () => this.arpBarrier());
  }

  /** Sends frames and fails if any draws a Neighbour Advertisement that is not the kernel's. */
  async expectNoAdvertisement(what: string, ...frames: readonly (Frame | Uint8Array)[]): Promise<void> {
    await this.wire.expectSilence(`${what} draws no answer`, frames, isAdvertisement, () => this.ndpBarrier());
  }

  /** Asks for a beacon: when it resolves, the responder has dealt with every ARP frame sent before. */
  arpBarrier({ wire = this.wire, limit }: BarrierOptions = {}): Promise<Received> {
    const beacon = this.#beacon;
    const request = arpRequest({
      senderMac: beaconAsker.mac,
      senderAddress: beaconAsker.v4,
      targetAddress: beacon.v4,
    });
    const isAnswer = (frame: Frame) =>
      frame.kind === 'arp' && frame.destination === beaconAsker.mac && frame.senderAddress === beacon.v4;
    return wire.ask(request, 'the answer for the beacon', isAnswer, limit);
  }

  /** The same for Neighbour Discovery, which arrives on a socket of its own. */
  ndpBarrier({ wire = this.wire, limit }: BarrierOptions = {}): Promise<Received> {
    const beacon = this.#beacon;
    const request = neighborSolicitation({ source: beaconAsker.mac, from: beaconAsker.v6, target: beacon.v6 });
    const isAnswer = (frame: Frame) =>
      frame.kind === 'ndp' && frame.destination === beaconAsker.mac && frame.target === beacon.v6;
    return wire.ask(request, 'the advertisement of the beacon', isAnswer, limit);
  }

  /** Resolves when the responder has dealt with everything sent before on the wire between client and node. */
  async barrier(): Promise<void> {
    await this.arpBarrier();
    await this.ndpBarrier();
  }

  /** Takes what is wanted from the wire until there is so much of it. */
  receiveAll(what: string, count: number, wanted: (frame: Frame) => boolean, limit?: number): Promise<Received[]> {
    const all: Received[] = [];
    return eventually(
      `${count} times ${what}`,
      () => {
        all.push(...this.wire.takeAll(wanted));
        return all.length >= count ? all : undefined;
      },
      limit,
    );
  }

  /** Takes what is wanted from the wire until none has come for `quiet` milliseconds. */
  async receiveUntilQuiet(wanted: (frame: Frame) => boolean, quiet: number): Promise<Received[]> {
    const all: Received[] = [];
    let last = performance.now();
    await eventually('no more comes', () => {
      const more = this.wire.takeAll(wanted);
      if (more.length > 0) last = performance.now();
      all.push(...more);
      return performance.now() - last > quiet;
    });
    return all;
  }

  async interfaceNamed(name: string): Promise<InterfaceState | undefined> {
    return (await this.responder.interfaces()).find((each) => each.name === name);
  }

  /** How an event names an interface of the node. */
  nodeInterface(name: string): { readonly name: string; readonly index: number } {
    return { name, index: Number(this.node.run('cat', `/sys/class/net/${name}/ifindex`)) };
  }

  /** The conflicts told of so far, those of everything sent before among them. */
  async conflicts(): Promise<{ address: string; mac: string; name: string; index: number }[]> {
    await this.barrier();
    const { conflictsReported } = await this.responder.counters();
    const told = await eventually(`${conflictsReported} conflicts are told`, () => {
      const events = this.responder.events.filter((event) => event.type === 'conflict');
      return events.length === conflictsReported ? events : undefined;
    });
    return told.map(({ address, mac, name, index }) => ({ address: formatAddress(address), mac, name, index }));
  }

  /** The number of descriptors that the responder's process has open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.responder.pid}/fd`).length;
  }

  /** Ends the responder, which must end in order, and removes everything. */
  async close(): Promise<void> {
    try {
      for (const wire of [this.wire, ...this.#plugged]) await wire.close();
      await this.responder.stop();
    } finally {
      for (const netns of [this.client, this.node, this.#switch]) netns?.destroy();
    }
  }
}

type BarrierOptions = { readonly wire?: PacketIo; readonly limit?: number };

/** A switch that passes multicast only to the ports where someone reports that he wants it (MLD, RFC 4541). */
function connectBySwitch(...ends: readonly End[]): Netns {
  const between = Netns.create('switch');
  const querying = ['mcast_querier', '1', 'mcast_query_interval', '200', 'mcast_startup_query_interval', '100'];
  const snooping = ['mcast_snooping', '1', 'mcast_mld_version', '2', 'mcast_query_response_interval', '20'];
  between.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', ...snooping, ...querying);
  between.ip('link', 'set', 'br0', 'up');
  for (const end of ends) plugInto(between, end);
  return between;
}

function plugInto(between: Netns, end: End): void {
  const port = `p-${end.name}`;
  connect(end, { netns: between, name: port });
  between.ip('link', 'set', port, 'master', 'br0');
}

/** `station` asks who has the address. */
export function whoHas(targetAddress: string, fields: Partial<ArpFrame> = {}): ArpFrame {
  return arpRequest({ senderMac: station.mac, senderAddress: station.v4, targetAddress, ...fields });
}

/** `station` solicits the address. */
export function solicit(target: string, fields: Partial<NdpFrame> = {}): NdpFrame {
  return neighborSolicitation({ source: station.mac, from: station.v6, target, ...fields });
}

/** `station` asks for the address as hosts of its family do. */
export function requestFor(address: string): ArpFrame | NdpFrame {
  return address.includes(':') ? solicit(address) : whoHas(address);
}

/** What a host that has the address says to everyone. */
export function arpAnnouncement(mac: string, address: string, fields: Partial<ArpFrame> = {}): ArpFrame {
  return arpRequest({ senderMac: mac, senderAddress: address, targetAddress: address, ...fields });
}

/** The same for IPv6. */
export function advertisement(mac: string, target: string, fields: Partial<NdpFrame> = {}): NdpFrame {
  return neighborSolicitation({
    type: ndpType.advertisement,
    source: mac,
    from: target,
    to: allNodes,
    override: true,
    target,
    options: [linkLayerOption(ndpOption.targetLinkLayer, mac)],
    ...fields,
  });
}

/** The zeros that fill an ARP frame up to the Ethernet minimum. */
export const arpPadding = new Uint8Array(18);

/** An ARP reply about an address that a kernel does not hold, and to someone who has not asked for a beacon. */
function isArpAnswer(frame: Frame): boolean {
  if (frame.kind !== 'arp' || frame.operation !== arpOperation.reply) return false;
  return frame.destination !== beaconAsker.mac && !kernelHeld.includes(frame.senderAddress);
}

/** The same for a Neighbour Advertisement. */
function isAdvertisement(frame: Frame): boolean {
  if (frame.kind !== 'ndp' || frame.type !== ndpType.advertisement) return false;
  return frame.destination !== beaconAsker.mac && !kernelHeld.includes(frame.target);
}

const kernelHeld: readonly string[] = [client.v4, client.v6, node.v4, node.v6];

export const isArpReplyFor = (address: string) => (frame: Frame) =>
  frame.kind === 'arp' && frame.operation === arpOperation.reply && frame.senderAddress === address;

export const isAdvertisementOf = (address: string) => (frame: Frame) =>
  frame.kind === 'ndp' && frame.type === ndpType.advertisement && frame.target === address;

export const isAnswerFor = (address: string) =>
  address.includes(':') ? isAdvertisementOf(address) : isArpReplyFor(address);

/** What `station` gets when it asks for the address, and no announcement. */
export const isAnswerToStation = (address: string) => (frame: Frame) =>
  frame.destination === station.mac && isAnswerFor(address)(frame);

/** What is sent to everyone about an address without having been asked. */
export const isAnnouncementOf = (address: string) => (frame: Frame) =>
  (frame.kind === 'arp' && frame.destination === broadcastMac && frame.senderAddress === address) ||
  (frame.kind === 'ndp' && frame.type === ndpType.advertisement && frame.to === allNodes && frame.target === address);
