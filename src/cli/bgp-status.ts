import { compareTexts } from '../api/label-selector.ts';
import { ApiError } from '../kubernetes/api-error.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { type BGPSessionStatusObject, bgpSessionStatuses } from '../kubernetes/config-kinds.ts';
import { apiVersionOf } from '../kubernetes/resource.ts';
import { age } from '../runtime/age.ts';
import { type Column, table } from './table.ts';
import type { Finding, Place, Topic } from './topic.ts';

const pageSize = 500;
/** Of half a million sessions nobody reads. */
const maxPages = 1_000;

/** The states of a session, the farthest from established first. */
const states = ['NotStarted', 'Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];

/** `garpoon status bgp`: every session of every speaker, troubles first. */
export const bgpStatus: Topic = {
  summary: 'the BGP sessions of all nodes, those with trouble first',
  look: async (place) => findingOf(place, await sessionsIn(place)),
};

function findingOf({ namespace, now }: Place, objects: readonly BGPSessionStatusObject[]): Finding {
  const sorted = objects.toSorted((a, b) => rankOf(a) - rankOf(b) || compareTexts(nameOf(a), nameOf(b)));
  const down = sorted.filter((object) => !isEstablished(object)).length;
  return {
    table: table(columnsAt(now), sorted),
    objects: sorted,
    remark: remarkOn(namespace, sorted.length, down),
    isWell: down === 0,
  };
}

function remarkOn(namespace: string, count: number, down: number): string | undefined {
  if (count === 0) {
    return `no speaker in namespace ${namespace} tells of a BGP session: see the BGPPeers there, and --namespace`;
  }
  return down === 0 ? undefined : `${down} of ${count} BGP sessions are not established`;
}

function columnsAt(now: number): readonly Column<BGPSessionStatusObject>[] {
  return [
    { heading: 'NODE', cell: ({ status }) => status?.node },
    { heading: 'PEER', cell: ({ status }) => status?.peer },
    { heading: 'ADDRESS', cell: ({ status }) => status?.peerAddress },
    { heading: 'ASN', cell: ({ status }) => status?.peerASN },
    { heading: 'STATE', cell: ({ status }) => status?.state },
    { heading: 'SINCE', cell: ({ status }) => status?.since && age(status.since, now) },
    { heading: 'IPV4', cell: ({ status }) => status?.prefixes?.announced.ipv4 },
    { heading: 'IPV6', cell: ({ status }) => status?.prefixes?.announced.ipv6 },
    { heading: 'BFD', cell: ({ status }) => status?.bfd?.state },
    { heading: 'PROBLEM', cell: ({ status }) => status?.problem },
  ];
}

/** Established sessions that have something to say are worth a look before those that have not. */
function rankOf(object: BGPSessionStatusObject): number {
  const hasProblem = (object.status?.problem ?? '') !== '';
  return 2 * states.indexOf(object.status?.state ?? '') + (hasProblem ? 0 : 1);
}

function isEstablished({ status }: BGPSessionStatusObject): boolean {
  return status?.state === 'Established';
}

function nameOf({ status, metadata }: BGPSessionStatusObject): string {
  return `${status?.node ?? ''} ${status?.peer ?? ''} ${metadata.name}`;
}

async function sessionsIn({ client, namespace }: Place): Promise<readonly BGPSessionStatusObject[]> {
  const found: BGPSessionStatusObject[] = [];
  let next: string | undefined;
  for (let pages = 0; pages < maxPages; pages++) {
    const { items, metadata } = await listed(client, namespace, next);
    for (const { metadata, status } of items ?? []) found.push(shown(metadata, status));
    next = metadata.continue || undefined;
    if (next === undefined) return found;
  }
  throw new Error(`list ${bgpSessionStatuses.plural} in ${namespace}: there are more than ${pageSize * maxPages}`);
}

/** What a list leaves out is put in, and what the API server notes for itself is left out. */
function shown(
  metadata: BGPSessionStatusObject['metadata'] & { readonly managedFields?: unknown },
  status: BGPSessionStatusObject['status'],
): BGPSessionStatusObject {
  const { managedFields: _, ...kept } = metadata;
  const { kind } = bgpSessionStatuses;
  return { apiVersion: apiVersionOf(bgpSessionStatuses), kind, metadata: kept, ...(status && { status }) };
}

async function listed(client: ApiClient, namespace: string, next: string | undefined) {
  try {
    return await client.list(bgpSessionStatuses, { namespace, limit: pageSize, continue: next });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    throw new Error('the cluster does not have the kind BGPSessionStatus: apply deploy/crds', { cause: error });
  }
}
