import { addCable, connect, type End, Netns } from '../support/netns.ts';
import { PacketIo, type Received } from '../support/packet-io.ts';
import {
  type ArpFrame,
  arpOperation,
  arpRequest,
  type Frame,
  type NdpFrame,
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

// Served always, asked for by a station of its own: whoever answers this has dealt with what came before.
const beacon = { v4: '198.18.255.1', v6: '2001:db8::beac' } as const;
const beaconAsker = { mac: '02:00:00:00:00:fe', v4: '198.18.255.254', v6: '2001:db8::fe' } as const;

type TestbedOptions = ResponderProcessOptions & { readonly joinedBy?: 'cable' | 'switch' };

export class Testbed {
  static async create({ joinedBy = 'cable', ...options }: TestbedOptions = {}): Promise<Testbed> {
    const spaces = { client: Netns.create('client'), node: Netns.create('node') };
    const ends = [
      { netns: spaces.client, name: 'c0', ...client },
      { netns: spaces.node, name: 'n0', ...node },
    ] as const;
    const between = joinedBy === 'switch' ? [connectBySwitch(...ends)] : [];
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
  readonly #between: readonly Netns[];
  readonly #plugged: PacketIo[] = [];

  private constructor(
    spaces: { readonly client: Netns; readonly node: Netns },
    between: readonly Netns[],
    wire: PacketIo,
    responder: ResponderProcess,
  ) {
    this.client = spaces.client;
    this.node = spaces.node;
    this.#between = between;
    this.wire = wire;
    this.responder = responder;
  }

  /** Serves the addresses, and the beacons, on every interface or where the wish says. Resolves once that is so. */
  async serve(...wishes: readonly (string | Wish)[]): Promise<void> {
    const all = [beacon.v4, beacon.v6, ...wishes];
    await this.responder.setAnnouncements(
      all.map((wish) => (typeof wish === 'string' ? { address: wish, interfaces: 'all' } : wish)),
    );
    // Nothing was open before the first table: a request may come too early.
    await eventually('ARP is answered', () => this.arpBarrier({ limit: 200 }));
    await eventually('NDP is answered', () => this.ndpBarrier({ limit: 200 }));
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
    const request = neighborSolicitation({ source: beaconAsker.mac, from: beaconAsker.v6, target: beacon.v6 });
    const isAnswer = (frame: Frame) =>
      frame.kind === 'ndp' && frame.destination === beaconAsker.mac && frame.target === beacon.v6;
    return wire.ask(request, 'the advertisement of the beacon', isAnswer, limit);
  }

  /** Ends the responder, which must end in order, and removes everything. */
  async close(): Promise<void> {
    try {
      for (const wire of [this.wire, ...this.#plugged]) await wire.close();
      await this.responder.stop();
    } finally {
      for (const netns of [this.client, this.node, ...this.#between]) netns.destroy();
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
  for (const end of ends) {
    const port = `p-${end.name}`;
    connect(end, { netns: between, name: port });
    between.ip('link', 'set', port, 'master', 'br0');
  }
  return between;
}

/** `station` asks who has the address. */
export function whoHas(targetAddress: string, fields: Partial<ArpFrame> = {}): ArpFrame {
  return arpRequest({ senderMac: station.mac, senderAddress: station.v4, targetAddress, ...fields });
}

/** `station` solicits the address. */
export function solicit(target: string, fields: Partial<NdpFrame> = {}): NdpFrame {
  return neighborSolicitation({ source: station.mac, from: station.v6, target, ...fields });
}

/** An ARP reply to someone, about an address that a kernel does not hold. */
export function isArpAnswer(frame: Frame): boolean {
  return frame.kind === 'arp' && frame.operation === arpOperation.reply && !kernelHeld.includes(frame.senderAddress);
}

/** A Neighbour Advertisement of an address that a kernel does not hold. */
export function isAdvertisement(frame: Frame): boolean {
  return frame.kind === 'ndp' && frame.type === ndpType.advertisement && !kernelHeld.includes(frame.target);
}

const kernelHeld: readonly string[] = [client.v4, client.v6, node.v4, node.v6];

export const isArpReplyFor = (address: string) => (frame: Frame) =>
  frame.kind === 'arp' && frame.operation === arpOperation.reply && frame.senderAddress === address;

export const isAdvertisementOf = (address: string) => (frame: Frame) =>
  frame.kind === 'ndp' && frame.type === ndpType.advertisement && frame.target === address;
