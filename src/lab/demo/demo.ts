import { sleep } from '../../runtime/clock.ts';
import { systemNamespace } from '../garpoon-processes.ts';
import { Lab, type LabOptions } from '../lab.ts';
import { type CommandResult, run } from '../process/command.ts';
import { inNamespace } from '../process/namespace.ts';
import type { Story } from './story.ts';
import { type Outage, outageSince, Traffic } from './traffic.ts';

const resources = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: ${systemNamespace} }
spec:
  addresses: [198.18.0.100-198.18.0.119, "2001:db8:0:1::100-2001:db8:0:1::1ff"]
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: ${systemNamespace} }
spec: { ipAddressPools: [lan], interfaces: [eth0] }
`;

const workload = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: any, ports: [{ containerPort: 80 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  ports: [{ port: 80 }]
`;

/** How long a step may take before the demo says that it failed; milliseconds. */
const patience = 30_000;
/** How long the traffic goes on at least, so that what comes late is seen; milliseconds. */
const shortestEvent = 3_000;

/**
 * Tells the main job as it happens, on real packets. Resolves to whether everything worked. When `asked` resolves it
 * stops where it is and cleans up.
 */
export async function runDemo(options: LabOptions, story: Story, asked: Promise<unknown>): Promise<boolean> {
  story.chapter('A bare-metal LAN on this machine');
  story.say('network namespaces for hosts, veth pairs for cables; the API server is on a network apart');
  story.output(picture(options.nodes ?? 3));
  const begun = options.clock.now();
  const lab = await Lab.start(options);
  story.good(`the lab was built in ${seconds(options.clock.now() - begun)}`);
  const demo = new Demo(lab, options, story);
  try {
    await Promise.race([demo.run(), asked.then(() => demo.interrupt())]);
    return true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    story.bad(error.message);
    if (!demo.interrupted) await demo.showLogs();
    return false;
  } finally {
    story.chapter('Clean up');
    const closing = options.clock.now();
    await lab.close();
    story.good(`everything was removed in ${seconds(options.clock.now() - closing)}`);
  }
}

/** Something the demo shows did not happen. */
class StepFailed extends Error {}

type Addresses = { readonly v4: string; readonly v6: string };

class Demo {
  readonly #lab: Lab;
  readonly #options: LabOptions;
  readonly #story: Story;
  interrupted = false;
  /** What is shown at the end: event, family, failed, first answer, last failure. */
  readonly #outages: string[][] = [];

  constructor(lab: Lab, options: LabOptions, story: Story) {
    this.#lab = lab;
    this.#options = options;
    this.#story = story;
  }

  async run(): Promise<void> {
    await this.#showCluster();
    const addresses = await this.#getAddresses();
    const leader = await this.#showAnnouncer(addresses);
    await this.#showAnswers(addresses);
    await this.#showFailovers(addresses, leader);
    this.#story.chapter('The Service is deleted');
    await this.#kubectlShown(['delete', 'service,deployment', 'web']);
    await this.#expectSilence(addresses);
    this.#story.chapter('What the client noticed');
    this.#story.table(['event', '', 'requests failed', 'first answer', 'last failure'], this.#outages);
    this.#story.say('failures after the first answer went to the pod on the lost node, until its endpoint was removed');
  }

  /** What still runs ends at its next wait. */
  interrupt(): never {
    this.interrupted = true;
    throw new StepFailed('interrupted');
  }

  async showLogs(): Promise<void> {
    for (const name of this.#lab.garpoon.names()) {
      this.#story.say(`the last lines of ${name}:`);
      this.#story.output((await run(['tail', '-n', '15', this.#lab.garpoon.log(name)])).stdout);
    }
  }

  async #showCluster(): Promise<void> {
    await this.#until('all nodes ready', async () => {
      const nodes = await this.#kubectl(['get', 'nodes', '--no-headers']);
      return nodes.stdout
        .trim()
        .split('\n')
        .every((line) => / Ready /.test(line));
    });
    await this.#kubectlShown(['get', 'nodes', '-o', 'wide']);
    this.#story.chapter('A pool of addresses, a Deployment, a Service of type LoadBalancer');
    await this.#kubectlShown(['apply', '-f', '-'], resources);
    await this.#kubectlShown(['apply', '-f', '-'], workload);
    await this.#until('three pods ready', async () => {
      const pods = await this.#kubectl(['get', 'pods', '-l', 'app=web', '--no-headers']);
      return pods.stdout.split('\n').filter((line) => / 1\/1 /.test(line)).length === 3;
    });
    this.#story.say('three pods are ready, one on each node');
  }

  async #getAddresses(): Promise<Addresses> {
    const ingress = await this.#until('the Service has its addresses', async () => {
      const { stdout } = await this.#kubectl([
        'get',
        'service',
        'web',
        '-o',
        'jsonpath={.status.loadBalancer.ingress[*].ip}',
      ]);
      const texts = stdout.trim().split(' ');
      return texts.length === 2 ? texts : undefined;
    });
    await this.#kubectlShown(['get', 'service', 'web']);
    const [v4 = '', v6 = ''] = ingress;
    return { v4, v6 };
  }

  /** Returns the node that announces. */
  async #showAnnouncer(addresses: Addresses): Promise<string> {
    this.#story.chapter('Which node announces it');
    await this.#until('a node announces the Service', () => this.#announcer());
    await this.#kubectlShown(['get', 'events', '--field-selector=involvedObject.name=web,involvedObject.kind=Service']);
    const leader = (await this.#announcer()) ?? '';
    const { mac } = this.#lab.network.node(leader);
    const asked = await this.#onClientShown(['arping', '-C', '1', '-i', 'eth0', addresses.v4]);
    if (!asked.stdout.includes(mac))
      throw new StepFailed(`ARP for ${addresses.v4} was not answered by ${leader} (${mac})`);
    this.#story.good(`ARP: ${addresses.v4} is at ${mac}, which is ${leader}`);
    const solicited = await this.#onClientShown(['ndisc6', '-1', '-q', addresses.v6, 'eth0']);
    if (!solicited.stdout.toLowerCase().includes(mac)) {
      throw new StepFailed(`NDP for ${addresses.v6} was not answered by ${leader} (${mac})`);
    }
    this.#story.good(`NDP: ${addresses.v6} is at ${mac}, which is ${leader}`);
    return leader;
  }

  async #showAnswers(addresses: Addresses): Promise<void> {
    this.#story.chapter('Traffic');
    for (const url of urls(addresses)) {
      await this.#until(
        `${url} answers`,
        async () => (await this.#onClient(['curl', '-sf', '--max-time', '1', url])).status === 0,
      );
      await this.#onClientShown(['curl', '-s', url]);
    }
    this.#story.say('and from behind the router:');
    for (const url of urls(addresses)) await this.#shown('remote', ['curl', '-s', '--max-time', '5', url]);
  }

  /** What can happen to the node that announces, and what the client notices of it. */
  async #showFailovers(addresses: Addresses, leader: string): Promise<void> {
    const { network, garpoon } = this.#lab;
    const taken = async () => (await this.#announcer()) !== leader;
    const back = async () => (await this.#announcer()) === leader;

    this.#story.chapter(`The switch port of ${leader} dies`);
    this.#story.say('the client asks both addresses without a pause; the node itself sees nothing: its link stays up');
    await this.#event('cut', addresses, () => network.cut(leader), taken);
    await this.#onClientShown(['ip', 'neigh', 'show', addresses.v4]);
    this.#story.good(`${await this.#announcer()} announces both addresses now`);
    this.#story.say(`${leader} is plugged in again`);
    await this.#event('plugged back', addresses, () => network.plug(leader), back);

    this.#story.chapter(`The speaker of ${leader} is killed`);
    this.#story.say(
      'kill -9: no farewell; the others have to notice. The node still forwards for a client that knows it',
    );
    await this.#event('killed', addresses, () => garpoon.kill(leader), taken);
    this.#story.say(`the speaker of ${leader} is started again`);
    await this.#event('started again', addresses, () => garpoon.start(leader), back);

    this.#story.chapter(`The speaker of ${leader} is stopped, as in an upgrade`);
    this.#story.say('SIGTERM: it asks the others to take over, and falls silent when they have');
    this.#story.say(
      'only a request that is under way when the address moves can be lost: the new node does not know it',
    );
    await this.#event('stopped in good order', addresses, () => garpoon.kill(leader, 'SIGTERM'), taken);
  }

  /** Lets something happen under traffic, and measures what the client noticed. */
  async #event(
    what: string,
    addresses: Addresses,
    event: () => Promise<void>,
    over: () => Promise<boolean>,
  ): Promise<void> {
    for (const [family, outage] of await this.#duringTraffic(addresses, event, over)) {
      const { failed, sent, firstAnswer, lastFailure } = outage;
      const lost = `${failed} of ${sent} requests failed`;
      if (failed === 0) this.#story.good(`${family}: ${lost}`);
      else this.#story.good(`${family}: ${lost}; first answer after ${seconds(firstAnswer)}`);
      const times = failed === 0 ? ['-', '-'] : [seconds(firstAnswer), seconds(lastFailure)];
      this.#outages.push([what, family, `${failed} of ${sent}`, ...times]);
    }
  }

  /** What the client noticed of an event, for both addresses. The traffic goes on until `over` and all is well. */
  async #duringTraffic(
    addresses: Addresses,
    event: () => Promise<void>,
    over: () => Promise<boolean>,
  ): Promise<readonly (readonly [string, Outage])[]> {
    const { clock } = this.#options;
    const traffics = urls(addresses).map((url) => {
      const asked = ['curl', '-s', '-o', '/dev/null', '--max-time', '0.25', url];
      return new Traffic(clock, async () => (await this.#onClient(asked)).status === 0);
    });
    for (const traffic of traffics) traffic.start();
    // Whatever ends this, an interruption too, ends the traffic.
    try {
      await this.#until('both addresses answer', async () =>
        traffics.every((traffic) => traffic.requests().some(({ answered }) => answered)),
      );
      const since = clock.now();
      await event();
      return await this.#until('the take-over, and ten answers in a row', async () => {
        if (clock.now() - since < shortestEvent || !(await over())) return undefined;
        const outages = traffics.map((traffic) => outageSince(traffic.requests(), since));
        const [v4, v6] = outages;
        return v4 === undefined || v6 === undefined
          ? undefined
          : ([
              ['IPv4', v4],
              ['IPv6', v6],
            ] as const);
      });
    } finally {
      await Promise.all(traffics.map((traffic) => traffic.stop()));
    }
  }

  async #expectSilence(addresses: Addresses): Promise<void> {
    await this.#until('nobody answers for the deleted Service', async () => {
      return (await this.#onClient(['arping', '-C', '1', '-w', '1', '-i', 'eth0', addresses.v4])).status !== 0;
    });
    this.#story.good('the Service is deleted, and nobody answers for its addresses any more');
  }

  /** The node whose MAC address the client's ARP request is answered with. */
  async #announcer(): Promise<string | undefined> {
    const address = (
      await this.#kubectl(['get', 'service', 'web', '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}'])
    ).stdout;
    const { stdout } = await this.#onClient(['arping', '-r', '-C', '1', '-w', '1', '-i', 'eth0', address]);
    return this.#lab.network.topology.nodes.find(({ mac }) => stdout.trim() === mac)?.name;
  }

  async #until<T>(what: string, condition: () => Promise<T>): Promise<NonNullable<T>> {
    const { clock } = this.#options;
    const deadline = clock.now() + patience;
    for (;;) {
      const found = await condition();
      if (this.interrupted) throw new StepFailed('interrupted');
      if (found) return found as NonNullable<T>;
      if (clock.now() > deadline) throw new StepFailed(`not within ${patience / 1000} s: ${what}`);
      await sleep(clock, 20);
    }
  }

  #onClient(argv: readonly string[]): Promise<CommandResult> {
    return this.#lab.network.exec('client', argv);
  }

  #onClientShown(argv: readonly string[]): Promise<CommandResult> {
    return this.#shown('client', argv);
  }

  async #shown(host: string, argv: readonly string[]): Promise<CommandResult> {
    this.#story.command(`${host}: ${argv.join(' ')}`);
    const result = await this.#lab.network.exec(host, argv);
    this.#story.output(result.stdout || result.stderr);
    return result;
  }

  #kubectl(args: readonly string[], input?: string): Promise<CommandResult> {
    const argv = ['kubectl', `--kubeconfig=${this.#lab.managementKubeconfig}`, ...args];
    const inside = inNamespace(this.#lab.network.namespace('management'), argv);
    return run(inside, input === undefined ? {} : { input });
  }

  async #kubectlShown(args: readonly string[], input?: string): Promise<void> {
    this.#story.command(`kubectl ${args.join(' ')}`);
    if (input !== undefined) this.#story.output(input);
    const result = await this.#kubectl(args, input);
    this.#story.output(result.stdout || result.stderr);
    if (result.status !== 0) throw new StepFailed(`kubectl ${args.join(' ')} failed: ${result.stderr.trim()}`);
  }
}

function picture(nodes: number): string {
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`).join('  ');
  return [
    '          client ──┐',
    `                   ├── switch ── ${names}   each with a speaker, a kube-proxy and pods`,
    'remote ── router ──┘',
  ].join('\n');
}

function urls({ v4, v6 }: Addresses): readonly string[] {
  return [`http://${v4}/`, `http://[${v6}]/`];
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
