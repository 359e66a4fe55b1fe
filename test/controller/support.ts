import { Controller, type ControllerOptions } from '../../src/controller/controller.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually } from '../support/suite.ts';

/** A cluster and the controllers that a test runs in it, one after the other. */
export class World {
  readonly cluster: TestCluster;
  readonly log = new RecordedLog();
  readonly #controllers: Controller[] = [];
  #marks = 0;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  /** A controller that has not been started. Stopped with the world. */
  controller(options: Partial<ControllerOptions> = {}): Controller {
    const controller = new Controller({
      client: this.cluster.newClient(),
      namespace: system,
      loadBalancerClass: '',
      clock: systemClock,
      random: impatient,
      log: this.log,
      ...options,
    });
    this.#controllers.push(controller);
    return controller;
  }

  /** A controller at work. */
  async start(options: Partial<ControllerOptions> = {}): Promise<Controller> {
    const controller = this.controller(options);
    await controller.start();
    return controller;
  }

  /** Resolves when the status of the Service is these addresses, joined by spaces. */
  async has(service: string, addresses: string): Promise<void> {
    await eventually(
      `${service} has "${addresses}"`,
      async () => (await this.cluster.addresses(service)) === addresses,
    );
  }

  async told(service: string, reason: string, times: number): Promise<void> {
    const count = () => this.cluster.eventCount(service, reason);
    await eventually(`${service} was told ${reason} ${times} times`, async () => (await count()) === times);
  }

  /**
   * Resolves when the controller has looked at every change made before, and what it had to say has been written:
   * Services and events are worked off in order, and this adds one to the end. Needs `markers()`.
   */
  async settled(): Promise<void> {
    this.#marks += 1;
    const name = `mark-${this.#marks}`;
    await this.cluster.service(name, {}, { annotations: { 'metallb.io/address-pool': 'markers' } });
    await this.told(name, 'IPAllocated', 1);
    await this.cluster.deleteService(name);
  }

  /** The pool for `settled()`. Nobody else is given addresses of it. */
  async markers(): Promise<void> {
    await this.cluster.pool('markers', ['203.0.113.0/24'], { autoAssign: false });
  }

  async stopControllers(): Promise<void> {
    await Promise.all(this.#controllers.map((controller) => controller.stop()));
  }

  async stop(): Promise<void> {
    await this.stopControllers();
    await this.cluster.stop();
  }
}

/** As a test's body: a world of its own, taken down whatever happens. */
export function inWorld(
  run: (world: World, cluster: TestCluster) => Promise<void>,
  options?: Parameters<typeof TestCluster.start>[0],
): () => Promise<void> {
  return async () => {
    const world = new World(await TestCluster.start(options));
    try {
      await run(world, world.cluster);
    } finally {
      await world.stop();
    }
  };
}

/** `192.0.2.10` to `192.0.2.10+count-1`. */
export function lan(count: number): readonly string[] {
  return [`192.0.2.10-192.0.2.${9 + count}`];
}
