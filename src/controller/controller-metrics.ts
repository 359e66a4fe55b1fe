import { registerAllocatorMetrics, registerClientMetrics } from '../telemetry/metallb-metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Controller } from './controller.ts';

type Observed = Pick<Controller, 'isServing' | 'poolUse' | 'clientState'>;

/**
 * The numbers of one replica, whose controllers come and go with its terms of leadership. A standby has none of pools
 * and configuration, so that a sum over the replicas is true; what it has counted it keeps.
 */
export class ControllerMetrics {
  /** The latest; it may have stopped. */
  #controller: Observed | undefined;
  /** Of those before it. */
  #past = { reconciles: 0, failures: 0 };

  constructor(metrics: Metrics) {
    registerAllocatorMetrics(metrics, () => this.#controller?.poolUse() ?? []);
    registerClientMetrics(metrics, () => ({
      configuration: this.#controller?.clientState().configuration,
      ...this.#counted(),
    }));
    const help = '1 while this replica is the one that gives out addresses, 0 while it stands by';
    metrics.register('gauge', { name: 'garpoon_leader', help, labels: [] }, () => [
      { labels: {}, value: Number(this.#controller?.isServing ?? false) },
    ]);
  }

  /** From here on the numbers are those of this controller. Returns it. */
  observe<C extends Observed>(controller: C): C {
    this.#past = this.#counted();
    this.#controller = controller;
    return controller;
  }

  #counted(): { readonly reconciles: number; readonly failures: number } {
    const { reconciles = 0, failures = 0 } = this.#controller?.clientState() ?? {};
    return { reconciles: this.#past.reconciles + reconciles, failures: this.#past.failures + failures };
  }
}
