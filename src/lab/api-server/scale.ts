import type { Core } from './core.ts';
import { type ApiObject, child, clone, isObject, type Json, numberAt, objectAt } from './json.ts';
import { badRequest } from './status.ts';
import { readObject, type Target, updateObject, type WriteOptions } from './write.ts';

/** The autoscaling/v1 Scale of a workload: its replicas in a shape that is the same for all. */
export async function readScale(core: Core, target: Target): Promise<ApiObject> {
  return scaleOf(await readObject(core, target));
}

export async function updateScale(
  core: Core,
  target: Target,
  options: WriteOptions,
  change: (scale: ApiObject) => Json,
): Promise<ApiObject> {
  const updated = await updateObject(core, target, options, (current) => {
    const proposed = change(scaleOf(current));
    if (!isObject(proposed) || proposed.kind !== 'Scale') throw badRequest('the body is no Scale');
    const workload = clone(current);
    child(workload, 'spec').replicas = numberAt(proposed, 'spec', 'replicas') ?? 0;
    workload.metadata.resourceVersion = objectAt(proposed, 'metadata').resourceVersion as string;
    return workload;
  });
  return scaleOf(updated);
}

function scaleOf(workload: ApiObject): ApiObject {
  const { name = '', namespace = '', uid = '', resourceVersion = '', creationTimestamp = '' } = workload.metadata;
  const labels = Object.entries(objectAt(workload, 'spec', 'selector', 'matchLabels'));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(workload, 'spec', 'replicas') ?? 0 },
    status: {
      replicas: numberAt(workload, 'status', 'replicas') ?? 0,
      selector: labels.map(([key, value]) => `${key}=${value}`).join(','),
    },
  };
}
