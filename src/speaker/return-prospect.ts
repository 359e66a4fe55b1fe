import type { ApiClient } from '../kubernetes/client.ts';
import { daemonSets, pods } from '../kubernetes/resource.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** Nobody waits longer to know whether to hand over; milliseconds. */
const limit = 500;

export type ReturnProspectOptions = {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Empty: not known. */
  readonly podName: string;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * Whether another Pod will take the place of ours on this node, because the DaemonSet that made it is still to be
 * there. When that cannot be told in time, none will.
 */
export async function willReturn({ client, namespace, podName, clock, log }: ReturnProspectOptions): Promise<boolean> {
  if (podName === '') return false;
  const given = new AbortController();
  const end = new AbortController();
  const late = sleep(clock, limit, end.signal).then(
    () => given.abort(),
    () => {},
  );
  try {
    const options = { signal: given.signal };
    const pod = await client.get(pods, `${namespace}/${podName}`, options);
    const owner = pod?.metadata.ownerReferences?.find(({ kind }) => kind === 'DaemonSet');
    if (owner === undefined) return false;
    const daemonSet = await client.get(daemonSets, `${namespace}/${owner.name}`, options);
    return daemonSet?.metadata.uid === owner.uid && daemonSet.metadata.deletionTimestamp === undefined;
  } catch (error) {
    log.warn('not known whether the speaker comes back', { error });
    return false;
  } finally {
    end.abort();
    await late;
  }
}
