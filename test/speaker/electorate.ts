import { compile } from '../../src/config/compile.ts';
import type { Config } from '../../src/config/config.ts';
import type { NodeFacts } from '../../src/election/candidacy.ts';
import type { Claim } from '../../src/election/claims.ts';
import type { NodeInterface } from '../../src/election/interface-fitness.ts';
import type { StrategyName } from '../../src/election/strategy.ts';
import { formatAddress } from '../../src/ip/address.ts';
import type { EndpointSlice, Service } from '../../src/kubernetes/core.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { BalancedOwners } from '../../src/speaker/balanced-owners.ts';
import { type Decision, decide, type View } from '../../src/speaker/decision.ts';
import { sliceIndex } from '../../src/speaker/service-reconciler.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { sha256 } from './support.ts';

export type Facts = {
  readonly nodes: readonly (Partial<NodeFacts> & { readonly name: string })[];
  /** The living ones; all when absent. */
  readonly members?: readonly string[];
  readonly returning?: readonly string[];
  readonly interfaces?: ReadonlyMap<string, readonly NodeInterface[]>;
  readonly requireSubnetAddress?: boolean;
  /** `balanced` when absent. */
  readonly strategy?: StrategyName;
  readonly pools?: readonly (readonly string[])[];
  readonly advertisements?: readonly object[];
};

/** A Service: its addresses, and where its endpoints are, on `node-z` when absent. */
export type Declared = {
  readonly name: string;
  readonly ips: string;
  readonly endpoints?: readonly string[];
  readonly spec?: Service['spec'];
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
};

/** How one speaker sees the cluster and decides. */
class Voter {
  readonly name: string;
  readonly services = new Store<Service>({ log: silentLogger });
  readonly slices = new Store<EndpointSlice, 'service'>({ log: silentLogger, indexes: sliceIndex });
  readonly owners: BalancedOwners;
  /** What was to be looked at again, decision by decision. */
  readonly decisions: (readonly string[])[] = [];
  readonly clock = new FakeClock();
  view: View;

  constructor(name: string, view: View, electorate: Electorate) {
    this.name = name;
    this.view = view;
    this.owners = new BalancedOwners({
      services: this.services,
      slices: this.slices,
      view: () => this.view,
      claimsOf: (address) => electorate.claims.get(address) ?? [],
      isReturning: (node) => electorate.facts.returning?.includes(node) ?? false,
      onDecided: (services) => this.decisions.push([...services]),
      clock: {
        now: () => this.clock.now() + electorate.elapsed,
        wallTime: () => this.clock.wallTime() + electorate.elapsed,
        after: (delay, run) => this.clock.after(delay, run),
        every: (period, run) => this.clock.every(period, run),
      },
    });
    this.services.onChange((key) => this.owners.serviceChanged(key));
    this.slices.onChange((_key, now, before) => {
      for (const slice of [now, before]) {
        for (const key of slice === undefined ? [] : sliceIndex.service(slice)) this.owners.serviceChanged(key);
      }
    });
  }

  decide(key: string): Decision {
    return decide(this.services.get(key), this.slices.by('service', key), this.view);
  }
}

/** After this time nothing that happened matters to anybody because it is new; milliseconds. */
const longAfter = 10_000;

/** The speakers of a cluster, which tell each other what they hold, and learn of everything in orders of their own. */
export class Electorate {
  facts: Facts;
  readonly voters: readonly Voter[];
  /** By address. */
  readonly claims = new Map<string, Claim[]>();
  /** How much time has passed between changes, beside that of the voters' clocks; milliseconds. */
  elapsed = 0;
  readonly #declared = new Map<string, Declared>();
  #time = 0;

  constructor(facts: Facts) {
    this.facts = facts;
    this.voters = facts.nodes.map(({ name }) => new Voter(name, viewOf(facts, name), this));
    for (const voter of this.voters) this.#point(voter);
  }

  /** Something about the cluster is different. */
  change(change: Partial<Facts>): void {
    const before = new Set(this.living());
    this.facts = { ...this.facts, ...change };
    // Whoever comes back begins anew.
    for (const voter of this.living()) if (!before.has(voter)) voter.owners.clear();
    for (const voter of this.voters) {
      this.#point(voter);
      voter.owners.decideSoon();
    }
  }

  declare(...services: readonly Declared[]): void {
    for (const one of services) this.#declared.set(one.name, one);
    for (const [i, { services: known, slices }] of this.voters.entries()) {
      for (const one of shuffled(services, seededRandom(i))) {
        slices.set(sliceOf(one));
        known.set(serviceOf(one));
      }
    }
  }

  /** Declares that many Services with one address each. */
  declareMany(count: number, first = 0): void {
    this.declare(
      ...Array.from({ length: count }, (_, i) => ({ name: `web-${first + i}`, ips: `192.0.2.${first + i}` })),
    );
  }

  remove(name: string): void {
    this.#declared.delete(name);
    for (const { services } of this.voters) services.delete(`default/${name}`);
  }

  /** Lets all living speakers decide and claim what they own, until they rest for good. Throws if they do not agree. */
  settle(): void {
    this.#rest();
    this.elapsed += longAfter;
    for (const { owners } of this.living()) owners.decideSoon();
    this.#rest();
  }

  #rest(): void {
    for (let round = 0; round < 10; round++) {
      for (const { owners } of this.living()) owners.flush();
      if (!this.#claim()) return;
      for (const { owners } of this.living()) owners.decideSoon();
    }
    throw new Error('the speakers do not come to rest');
  }

  declared(): Iterable<Declared> {
    return this.#declared.values();
  }

  living(): readonly Voter[] {
    const { members } = this.facts;
    return this.voters.filter(({ name }) => members?.includes(name) ?? true);
  }

  /** Address → who announces it. Throws when two do, or when one of the others thinks otherwise. */
  announced(): ReadonlyMap<string, string> {
    const owners = new Map<string, string>();
    const opinions = new Set<string>();
    for (const voter of this.living()) {
      const seen: string[] = [];
      for (const name of [...this.#declared.keys()].sort()) {
        const decision = voter.decide(`default/${name}`);
        for (const [ip, { owner }] of decision.elections ?? []) seen.push(`${name} ${ip} ${owner}`);
        for (const address of 'announce' in decision ? decision.announce : []) {
          const ip = formatAddress(address);
          const other = owners.get(ip) ?? voter.name;
          if (other !== voter.name) throw new Error(`${ip} is announced by ${other} and ${voter.name}`);
          owners.set(ip, voter.name);
        }
      }
      opinions.add(seen.join('\n'));
    }
    if (opinions.size > 1) throw new Error(`opinions differ:\n${[...opinions].join('\n\n')}`);
    return owners;
  }

  /** How many addresses each node announces, in the order of the nodes. */
  loads(): readonly number[] {
    const owners = [...this.announced().values()];
    return this.facts.nodes.map(({ name }) => owners.filter((owner) => owner === name).length);
  }

  /** Whether anybody has anything new. */
  #claim(): boolean {
    let isNew = false;
    const owners = this.announced();
    const living = new Set(this.living().map(({ name }) => name));
    for (const [ip, owner] of owners) {
      const claims = this.claims.get(ip) ?? [];
      const newest = claims.reduce((most, { since }) => Math.max(most, since), 0);
      // The living let go of what another has; what the dead have said remains.
      const others = claims.filter(({ node }) => node !== owner && !living.has(node));
      const isHeld = claims.some(({ node, since }) => node === owner && since === newest);
      if (isHeld && claims.length === others.length + 1) continue;
      this.#time = Math.max(this.#time, newest) + 1;
      this.claims.set(ip, [...others, { node: owner, since: this.#time }]);
      isNew = true;
    }
    return isNew;
  }

  #point(voter: Voter): void {
    voter.view = {
      ...viewOf(this.facts, voter.name),
      electionsOf: (key) => voter.owners.electionsOf(key),
    };
  }
}

const configs = new Map<string, Config>();

export function viewOf(facts: Facts, name: string): View {
  const { nodes, members, interfaces, requireSubnetAddress = false, strategy = 'balanced' } = facts;
  const all = nodes.map((node) => ({ labels: {}, networkUnavailable: false, ...node }));
  return {
    node: { name, labels: all.find((node) => node.name === name)?.labels ?? {} },
    config: configOf(facts),
    cluster: {
      nodes: shuffled(all, seededRandom(name.charCodeAt(name.length - 1))),
      members: new Set(members ?? all.map((node) => node.name)),
      ignoreExcludeLabel: false,
      oursAlone: true,
      requireSubnetAddress,
      ...(interfaces === undefined ? {} : { interfaces }),
    },
    loadBalancerClass: '',
    strategy,
    hash: sha256,
  };
}

/** The same one for the same pools and advertisements, as a speaker has it. */
function configOf({ pools = [['192.0.2.0/24', '2001:db8::/120']], advertisements = [{}] }: Facts): Config {
  const text = JSON.stringify([pools, advertisements]);
  const compiled = compile({
    pools: pools.map((addresses, i) => ({ metadata: { name: `pool-${i}` }, spec: { addresses } })),
    l2Advertisements: advertisements.map((spec, i) => ({ metadata: { name: `advertisement-${i}` }, spec })),
  });
  if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
  const config = configs.get(text) ?? compiled.config;
  configs.set(text, config);
  return config;
}

export function serviceOf({ name, ips, spec = {}, labels = {}, annotations = {} }: Declared): Service {
  return {
    metadata: { name, namespace: 'default', labels, annotations },
    spec: { type: 'LoadBalancer', ...spec },
    status: { loadBalancer: { ingress: ips.split(' ').map((ip) => ({ ip })) } },
  };
}

export function sliceOf({ name, endpoints = ['node-z'] }: Declared): EndpointSlice {
  const metadata = { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } };
  return {
    metadata,
    addressType: 'IPv4',
    endpoints: endpoints.map((nodeName) => ({ addresses: [], nodeName })),
  };
}
