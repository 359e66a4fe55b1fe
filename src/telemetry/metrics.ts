import { Counter, type CounterConfiguration, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger } from '../runtime/logger.ts';

export type Labels<L extends string> = Readonly<Record<L, string>>;

export type Sample<L extends string> = { readonly labels: Labels<L>; readonly value: number };

export type MetricDescription<L extends string> = {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
};

/** A number that only grows, kept here. One that somebody else keeps is `collect`ed. */
export type CounterMetric<L extends string> = { increase(labels: Labels<L>, by?: number): void };

/** How often a value was how large. */
export type HistogramMetric<L extends string> = { observe(labels: Labels<L>, value: number): void };

/**
 * The metrics of one process, for Prometheus. Made by whoever starts the process and passed to those who register;
 * names are unique within it. What is known elsewhere already is not kept twice: it is asked for at every scrape.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #log: Logger;
  readonly #failing = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  counter<const L extends string>(description: MetricDescription<L>): CounterMetric<L> {
    const counter = new Counter(this.#configuration(description));
    return { increase: (labels, by = 1) => counter.inc(labels, by) };
  }

  /** `buckets`: the upper bounds that are counted, ascending. */
  histogram<const L extends string>(description: MetricDescription<L>, buckets: readonly number[]): HistogramMetric<L> {
    const histogram = new Histogram({ ...identity(description), registers: [this.#registry], buckets: [...buckets] });
    return { observe: (labels, value) => histogram.observe(labels, value) };
  }

  /**
   * Registers a metric whose samples are all that `collect` returns at a scrape: series that it no longer names are
   * gone. When it throws, its metric is left out of the scrape and the others are not.
   */
  register<const L extends string>(
    type: 'counter' | 'gauge',
    description: MetricDescription<L>,
    collect: () => Iterable<Sample<L>>,
  ): void {
    const configuration = {
      ...this.#configuration(description),
      collect: () => this.#fill(description, collect, metric),
    };
    const metric: Counter<L> | Gauge<L> =
      type === 'counter' ? new Counter<L>(configuration) : new Gauge<L>(configuration);
  }

  /** Everything in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #configuration<L extends string>(description: MetricDescription<L>): CounterConfiguration<L> {
    return { ...identity(description), registers: [this.#registry] };
  }

  #fill<L extends string>(
    { name, labels }: MetricDescription<L>,
    collect: () => Iterable<Sample<L>>,
    metric: Counter<L> | Gauge<L>,
  ): void {
    metric.reset();
    try {
      // From nothing, so that adding sets.
      const samples = [...collect()];
      for (const sample of samples) metric.inc(sample.labels, sample.value);
      if (samples.length === 0) this.#leaveOut(labels, metric);
      this.#failing.delete(name);
    } catch (error) {
      metric.reset();
      this.#leaveOut(labels, metric);
      if (!this.#failing.has(name)) this.#log.error('metric not collected', { name, error });
      this.#failing.add(name);
    }
  }

  /** The one series of a metric without labels is reset to 0, which would be a lie. */
  #leaveOut(labels: readonly string[], metric: Pick<Gauge, 'remove'>): void {
    if (labels.length === 0) metric.remove();
  }
}

function identity<L extends string>({ name, help, labels }: MetricDescription<L>) {
  return { name, help, labelNames: labels };
}
