import { isAlreadyExists } from '../../kubernetes/api-error.ts';
import { updateStatus } from '../../kubernetes/apply.ts';
import { keyOf, type ObjectKey, splitKey } from '../../kubernetes/resource.ts';
import { WorkQueue } from '../../kubernetes/workqueue.ts';
import type { ClusterState } from './cluster-state.ts';
import { chooseNode } from './scheduler.ts';
import { type Deployment, deploymentOf, deployments, isReady, type LabPod, labPods } from './workload-objects.ts';

/** More in one Deployment is taken for a slip of the finger on one machine. */
const maxReplicas = 100;

/**
 * Stands in for the deployment controller, the ReplicaSet controller and the scheduler: a Deployment has `replicas`
 * Pods, named NAME-1, NAME-2 … and bound to nodes as they are created. A change of the template reaches new Pods only.
 *
 * A Pod's number makes both creating and deleting safe to repeat: what the store does not show yet is tried again under
 * the same name and found done.
 */
export class DeploymentController {
  readonly #state: ClusterState;
  readonly #queue: WorkQueue;
  #unsubscribe: readonly (() => void)[] = [];

  constructor(state: ClusterState) {
    this.#state = state;
    const reconcile = (key: ObjectKey) => this.#reconcile(key);
    this.#queue = new WorkQueue({ ...state.context, name: 'deployment', reconcile });
  }

  start(): void {
    const { deployments, nodes, pods } = this.#state;
    const addAll = () => {
      for (const key of deployments.keys()) this.#queue.add(key);
    };
    this.#unsubscribe = [
      deployments.onChange((key) => this.#queue.add(key)),
      // A Pod's Deployment may be gone already: its key is what removes the Pod.
      pods.onChange((_, now, before) => {
        this.#addOwner(now);
        this.#addOwner(before);
      }),
      nodes.onChange(addAll),
    ];
    addAll();
    for (const pod of pods.list()) this.#addOwner(pod);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#queue.stop();
  }

  #addOwner(pod: LabPod | undefined): void {
    const key = pod === undefined ? undefined : deploymentOf(pod);
    if (key !== undefined) this.#queue.add(key);
  }

  async #reconcile(key: ObjectKey): Promise<void> {
    const deployment = this.#state.deployments.get(key);
    const own = this.#state.pods.list().filter((pod) => deploymentOf(pod) === key);
    const wanted = deployment === undefined ? 0 : Math.min(deployment.spec?.replicas ?? 1, maxReplicas);
    const names = Array.from({ length: wanted }, (_, index) => `${key}-${index + 1}`);
    for (const pod of own) {
      if (names.includes(keyOf(pod)) || pod.metadata.deletionTimestamp !== undefined) continue;
      await this.#state.context.client.delete(labPods, keyOf(pod));
    }
    if (deployment === undefined) return;
    await this.#create(deployment, names);
    await this.#report(key, deployment, own);
  }

  async #create(deployment: Deployment, names: readonly ObjectKey[]): Promise<void> {
    const { nodes, pods } = this.#state;
    const key = keyOf(deployment);
    const spec = deployment.spec?.template?.spec ?? {};
    const made: LabPod[] = [];
    // A terminating Pod still holds its name; the change of the store when it is gone brings us back.
    for (const name of names.filter((one) => pods.get(one) === undefined)) {
      const known = [...pods.list(), ...made];
      const nodeName = chooseNode(spec, nodes.list(), known, (pod) => deploymentOf(pod) === key);
      if (nodeName === undefined) return; // until a node changes
      const pod = newPod(deployment, name, nodeName);
      made.push(pod);
      try {
        await this.#state.context.client.create(labPods, pod);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    }
  }

  async #report(key: ObjectKey, deployment: Deployment, own: readonly LabPod[]): Promise<void> {
    const ready = own.filter(isReady).length;
    const generation = deployment.metadata.generation;
    const status = {
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      replicas: own.length,
      updatedReplicas: own.length,
      readyReplicas: ready,
      availableReplicas: ready,
    };
    await updateStatus(this.#state.context.client, deployments, key, (current) => ({ ...current, status }));
  }
}

function newPod(deployment: Deployment, key: ObjectKey, nodeName: string): LabPod {
  const { name, namespace } = splitKey(key);
  const template = deployment.spec?.template;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: template?.metadata?.labels ?? {},
      annotations: template?.metadata?.annotations ?? {},
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          name: deployment.metadata.name,
          uid: deployment.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    spec: { ...template?.spec, nodeName },
  };
}
