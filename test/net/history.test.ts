import assert from 'node:assert/strict';
import fc from 'fast-check';
import { eventually } from '../support/eventually.ts';
import { netSuite } from '../support/net-suite.ts';
import type { PacketIo } from '../support/packet-io.ts';
import { isAdvertisementOf, isArpReplyFor, node, solicit, station, Testbed, whoHas } from './testbed.ts';

const test = netSuite('net/history');

// Whatever came before, in whatever order: what is answered in the end follows from the last table and from the
// interfaces as they are.
const addresses = ['198.18.1.1', '198.18.1.2', '198.18.1.3', '2001:db8::a:1', '2001:db8::a:2', '2001:db8:1::a:2'];
const macs = ['02:00:00:00:01:01', '02:00:00:00:01:02', '02:00:00:00:01:03'];
const places = ['all', ['n0'], ['n1'], ['n*'], ['n0', 'absent'], []] as const;

type Step =
  | { readonly do: 'serve'; readonly where: readonly (number | null)[] }
  | { readonly do: 'announce' | 'replug' | 'bridge' | 'unbridge' }
  | { readonly do: 'down' | 'up'; readonly name: 'n0' | 'n1' }
  | { readonly do: 'mac'; readonly mac: string }
  | { readonly do: 'block'; readonly milliseconds: number };

const serve = fc
  .array(fc.option(fc.nat(places.length - 1)), { minLength: addresses.length, maxLength: addresses.length })
  .map((where): Step => ({ do: 'serve', where }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: serve, weight: 4 },
  fc.constantFrom('announce', 'replug', 'bridge', 'unbridge').map((name): Step => ({ do: name })),
  fc
    .tuple(fc.constantFrom('down', 'up'), fc.constantFrom('n0', 'n1'))
    .map(([change, name]): Step => ({ do: change, name })),
  fc.constantFrom(...macs).map((mac): Step => ({ do: 'mac', mac })),
  fc.constant<Step>({ do: 'block', milliseconds: 20 }),
);

class World {
  readonly bed: Testbed;
  wire: PacketIo;
  where: readonly (number | null)[] = [];
  mac = macs[0]!;
  bridged = false;

  constructor(bed: Testbed, wire: PacketIo) {
    this.bed = bed;
    this.wire = wire;
  }

  async take(step: Step): Promise<void> {
    const { node: netns, responder } = this.bed;
    switch (step.do) {
      case 'serve':
        this.where = step.where;
        return responder.setAnnouncements(this.#table());
      case 'announce':
        return responder.announce(...addresses);
      case 'block':
        return responder.blockEventLoop(step.milliseconds);
      case 'down':
      case 'up':
        netns.ip('link', 'set', step.name, step.do);
        return;
      case 'mac':
        this.mac = step.mac;
        netns.ip('link', 'set', 'n1', 'address', step.mac);
        return;
      case 'bridge':
      case 'unbridge':
        this.bridged = step.do === 'bridge';
        netns.ip('link', 'set', 'n1', ...(this.bridged ? ['master', 'br0'] : ['nomaster']));
        return;
      case 'replug':
        this.bridged = false;
        netns.ip('link', 'delete', 'n1');
        this.wire = await this.bed.plug('n1', this.mac);
        return;
      default:
        return step satisfies never;
    }
  }

  /** Brings both interfaces up and out of the bridge, then asks for everything on both. */
  async check(): Promise<void> {
    for (const end of [{ do: 'unbridge' }, { do: 'up', name: 'n0' }, { do: 'up', name: 'n1' }] as const) {
      await this.take(end);
    }
    const table = this.#table();
    await this.bed.serve(...table);
    for (const [name, wire, mac] of [
      ['n0', this.bed.wire, node.mac],
      ['n1', this.wire, this.mac],
    ] as const) {
      for (const barrier of ['arpBarrier', 'ndpBarrier'] as const) {
        await eventually(`${name} answers as ${mac}`, async () => {
          return (await this.bed[barrier]({ wire, limit: 100 })).frame.source === mac;
        });
      }
      for (const address of addresses) {
        const interfaces = table.find((wish) => wish.address === address)?.interfaces ?? [];
        const served = interfaces === 'all' || interfaces.some((each) => each === name || each === 'n*');
        assert.deepEqual(await this.#answers(wire, address), served ? [mac] : [], `${address} on ${name}`);
      }
    }
  }

  #table() {
    return addresses.flatMap((address, i) => {
      const place = this.where[i];
      return typeof place === 'number' ? [{ address, interfaces: places[place]! }] : [];
    });
  }

  /** The MAC addresses that answer for the address. */
  async #answers(wire: PacketIo, address: string): Promise<string[]> {
    const ipv6 = address.includes(':');
    const since = Date.now();
    wire.send(ipv6 ? solicit(address) : whoHas(address));
    await (ipv6 ? this.bed.ndpBarrier({ wire }) : this.bed.arpBarrier({ wire }));
    return wire
      .takeAll(ipv6 ? isAdvertisementOf(address) : isArpReplyFor(address))
      .filter(({ frame, arrival }) => arrival >= since && frame.destination === station.mac)
      .map(({ frame }) => frame.source);
  }
}

// A hunt through more of them: GARPOON_HISTORIES=500.
const histories = Number(process.env.GARPOON_HISTORIES ?? 20);

test('answers as the last table and the present interfaces say, whatever came before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const bed = await Testbed.create({ gratuitous: { rounds: 2, interval: 10 } });
      try {
        bed.node.ip('link', 'add', 'br0', 'up', 'type', 'bridge', 'forward_delay', '0');
        const world = new World(bed, await bed.plug('n1', macs[0]!));
        for (const each of steps) await world.take(each);
        await world.check();
      } finally {
        await bed.close();
      }
    }),
    { numRuns: histories, seed: 8_021, endOnFailure: true },
  );
}, 600_000);
