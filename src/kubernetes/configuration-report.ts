import {
  type ConfigurationCondition,
  configurationStateLabels,
  configurationStateName,
} from '../api/configuration-state.ts';
import { formatProblem } from '../api/field.ts';
import { type Clock, type Timer, timestamp } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { apply, mergePatch } from './apply.ts';
import type { ApiClient } from './client.ts';
import { type ConfigurationStateObject, configurationStates } from './config-kinds.ts';
import type { Configuration, Verdict } from './configuration.ts';
import type { OwnerReference } from './core.ts';
import type { EventRecorder } from './events.ts';
import { OwnPod } from './own-pod.ts';
import { type ObjectKey, splitKey } from './resource.ts';
import { WatchedKind } from './watched-kind.ts';
import { WorkQueue } from './workqueue.ts';

/** Verdicts within this time are one write; milliseconds. Resources that are applied together arrive one by one. */
const gatherTime = 200;
/** For how long after the start, while not all has been read, what an earlier run has said still stands; milliseconds. */
const patience = 10_000;
/** Of the summary, in characters; the API takes more, but every node writes one. */
const maxSummary = 8_192;

/** MetalLB's names of what is judged, and of the owners of the fields in which that is said. */
const names = {
  controller: { condition: 'poolReconcilerValid', owner: 'poolReconciler' },
  speaker: { condition: 'configReconcilerValid', owner: 'configReconciler' },
} as const;

export type ConfigurationReportOptions = {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly configuration: Pick<Configuration, 'verdict' | 'errors' | 'onVerdict'>;
  readonly component: 'controller' | { readonly speakerOn: string };
  /** The Pod that owns the object, so that it goes with it; empty: nobody does. */
  readonly podName: string;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Keeps the ConfigurationState of this program equal to the verdict on the configuration. An event on that object tells
 * when the verdict turns; not on the faulty resources, about which every node would say the same.
 */
export class ConfigurationReport {
  readonly #options: ConfigurationReportOptions;
  readonly #names: (typeof names)[keyof typeof names];
  readonly #key: ObjectKey;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #pod: OwnPod;
  readonly #kind: WatchedKind<ConfigurationStateObject>;
  readonly #queue: WorkQueue;
  #isPatient = true;
  #patience: Timer | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: ConfigurationReportOptions) {
    const { namespace, component } = options;
    const name = configurationStateName(component);
    this.#options = options;
    this.#names = names[component === 'controller' ? component : 'speaker'];
    this.#key = `${namespace}/${name}`;
    this.#labels = labelsOf(component);
    this.#pod = new OwnPod(options);
    const fieldSelector = `metadata.name=${name}`;
    this.#kind = new WatchedKind({ ...options, resource: configurationStates, fieldSelector, optional: true });
    const backoff = { base: 100, max: 10_000 };
    this.#queue = new WorkQueue({
      ...options,
      name: 'configuration-state',
      reconcile: () => this.#reconcile(),
      backoff,
    });
  }

  start(): void {
    const { configuration, clock } = this.#options;
    this.#unsubscribe = configuration.onVerdict(() => this.#look());
    this.#kind.store.onChange(() => this.#look());
    this.#kind.synced.then(
      () => this.#look(),
      () => {}, // Stopped.
    );
    this.#patience = clock.after(patience, () => {
      this.#isPatient = false;
      this.#look();
    });
    this.#kind.start();
  }

  /** The object stays and says what it said: it goes with the Pod. Idempotent. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#patience?.cancel();
    await Promise.all([this.#queue.stop(), this.#kind.stop()]);
  }

  #look(): void {
    this.#queue.addAfter(this.#key, gatherTime);
  }

  async #reconcile(): Promise<void> {
    const { client, configuration, signal, clock } = this.#options;
    // A cluster without the kind is told nothing.
    if (!this.#kind.store.hasSynced) return;
    const verdict = configuration.verdict();
    if (verdict === 'Unknown' && this.#isPatient) return;
    const errors = configuration.errors().map(formatProblem);
    const owner = await this.#pod.reference();
    const wanted = this.#conditionOf(verdict, errors);
    const seen = this.#kind.store.get(this.#key);
    if (seen !== undefined && this.#isOurs(seen, owner) && says(seen, verdict, wanted)) return;
    // The store may not have our last write yet, and would have us tell of a turn twice.
    const current = await client.get(configurationStates, this.#key, { signal });
    await this.#claim(current, owner);
    if (current !== undefined && says(current, verdict, wanted)) return;
    const before = conditionIn(current, wanted.type);
    const since = before?.status === wanted.status ? before.lastTransitionTime : undefined;
    const condition = { ...wanted, lastTransitionTime: since ?? timestamp(clock).replace(/\.\d+Z$/, 'Z') };
    const status = { result: verdict, conditions: [condition] };
    const told = await apply(
      client,
      configurationStates,
      {
        metadata: this.#identity(),
        status: verdict === 'Invalid' ? { ...status, errorSummary: wanted.message } : status,
      },
      { subresource: 'status', fieldManager: this.#names.owner, signal },
    );
    this.#tell(told, before?.status, condition);
  }

  /** Makes the object ours: there, found by its labels, and gone when our Pod is. */
  async #claim(current: ConfigurationStateObject | undefined, owner: OwnerReference | undefined): Promise<void> {
    const { client, signal } = this.#options;
    const owners = owner === undefined ? {} : { ownerReferences: [owner] };
    const metadata = { labels: this.#labels, ...owners };
    if (current === undefined) {
      await client.create(configurationStates, { metadata: { ...this.#identity(), ...metadata } }, { signal });
    } else if (!this.#isOurs(current, owner)) {
      await mergePatch(client, configurationStates, this.#key, { metadata }, { signal });
    }
  }

  #isOurs({ metadata }: ConfigurationStateObject, owner: OwnerReference | undefined): boolean {
    const labelled = Object.entries(this.#labels).every(([key, value]) => metadata.labels?.[key] === value);
    // The Pod of an earlier run owned it, and takes it along when it is deleted.
    const [first, ...others] = metadata.ownerReferences ?? [];
    return labelled && (owner === undefined || (first?.uid === owner.uid && others.length === 0));
  }

  #tell(
    object: ConfigurationStateObject,
    before: ConfigurationCondition['status'] | undefined,
    { status, message }: ConfigurationCondition,
  ): void {
    const { events } = this.#options;
    if (status === before) return;
    if (status === 'False') events.record(object, { type: 'Warning', reason: 'ConfigurationInvalid', message });
    // That all is well from the beginning is no news.
    if (status === 'True' && before !== undefined) {
      events.record(object, { type: 'Normal', reason: 'ConfigurationValid', message });
    }
  }

  #conditionOf(verdict: Verdict, errors: readonly string[]): Omit<ConfigurationCondition, 'lastTransitionTime'> {
    const type = this.#names.condition;
    switch (verdict) {
      case 'Valid':
        return { type, status: 'True', reason: 'Reconciled', message: 'the configuration is in force' };
      case 'Invalid':
        return { type, status: 'False', reason: 'ConfigurationError', message: summaryOf(errors) };
      case 'Unknown':
        return { type, status: 'Unknown', reason: 'UnknownError', message: 'not all resources have been read yet' };
      default:
        throw new TypeError(`no verdict ${verdict satisfies never}`);
    }
  }

  #identity(): { readonly namespace: string; readonly name: string } {
    return { namespace: this.#options.namespace, name: splitKey(this.#key).name };
  }
}

function labelsOf(component: ConfigurationReportOptions['component']): Readonly<Record<string, string>> {
  const { componentType, nodeName } = configurationStateLabels;
  if (component === 'controller') return { [componentType]: component };
  const speaker = { [componentType]: 'speaker' };
  // The name of a Node may be longer than the value of a label.
  return component.speakerOn.length > 63 ? speaker : { ...speaker, [nodeName]: component.speakerOn };
}

function conditionIn(
  object: ConfigurationStateObject | undefined,
  type: ConfigurationCondition['type'],
): ConfigurationCondition | undefined {
  return object?.status?.conditions?.find((condition) => condition.type === type);
}

function says(
  object: ConfigurationStateObject,
  verdict: Verdict,
  wanted: Omit<ConfigurationCondition, 'lastTransitionTime'>,
): boolean {
  const { result, errorSummary = '' } = object.status ?? {};
  const there = conditionIn(object, wanted.type);
  return (
    result === verdict &&
    errorSummary === (verdict === 'Invalid' ? wanted.message : '') &&
    there?.status === wanted.status &&
    there.reason === wanted.reason &&
    there.message === wanted.message
  );
}

/** A line for each fault; of too many, as many as there is room for. */
function summaryOf(errors: readonly string[]): string {
  const lines: string[] = [];
  let length = 0;
  for (const error of errors) {
    const line = error.slice(0, maxSummary).toWellFormed();
    length += line.length + 1;
    if (length > maxSummary && lines.length > 0)
      return [...lines, `and ${errors.length - lines.length} more`].join('\n');
    lines.push(line);
  }
  return lines.join('\n');
}
