import { type ApiProblem, formatProblem } from '../api/field.ts';
import type { Labels } from '../api/resource.ts';
import { type ConfigError, compile, type Resources } from '../config/compile.ts';
import type { AdmissionRequest, Reviewer, Verdict } from '../kubernetes/admission-review.ts';
import type { BGPPeerObject, PoolObject } from '../kubernetes/config-kinds.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';
import { lostAddresses } from './lost-addresses.ts';

/** What a replica knows of the configuration. */
export type KnownConfiguration = {
  /** Whether the rest is all there is. */
  readonly isSynced: boolean;
  resources(): Resources;
  /** The labels of all nodes. */
  nodes(): readonly Labels[];
};

/** More than that, and nobody reads it. */
const maxTold = 5;

/**
 * Reviews the objects of one kind of the configuration. What would be wrong with all resources together after the
 * change, and is not wrong already, refuses it: a fault that is there holds up no change elsewhere, nor its own repair.
 * What is over as soon as another object comes only warns, for objects may be applied in any order.
 */
export function configurationReviewer(
  kind: keyof Resources,
  { namespace, known }: { readonly namespace: string; readonly known: KnownConfiguration },
): Reviewer {
  return (request) => {
    const { operation, object, oldObject } = request;
    const reviewed = object ?? oldObject;
    if (reviewed === undefined || request.subresource !== '') return { allowed: true };
    const name = nameOf(request, reviewed);
    if (request.namespace !== namespace) return elsewhere(operation, name, namespace);
    if (!known.isSynced) return unread(operation, name);
    const resources = known.resources();
    const users = kind === 'bfdProfiles' && operation === 'DELETE' ? usersOf(reviewed, resources) : [];
    if (users.length > 0) return refusal([inUse(name, users)]);
    const judge = (one: KubernetesObject | undefined) =>
      judged(withObject(resources, kind, reviewed, one), { [kind]: one === undefined ? [] : [one] }, known.nodes());
    const after = judge(object);
    // Beside nothing at all, it does not matter what was there before.
    const before = after.errors.length + after.warnings.length === 0 ? after : judge(oldObject);
    const news = after.errors.filter((error) => !isOld(error, before.errors, name));
    // What a deletion leaves behind is a fault of others, which are perhaps the next to be deleted.
    const faults = operation === 'DELETE' ? [] : news.filter(({ awaits }) => awaits === undefined);
    if (faults.length > 0) return refusal(faults);
    const losses = kind === 'pools' ? lostAddresses(oldObject as PoolObject | undefined, object) : [];
    const oddities = after.warnings.filter((one) => one.object === name || !has(before.warnings, one));
    return { allowed: true, warnings: [...losses, ...[...news, ...oddities].map(formatProblem)] };
  };
}

function nameOf({ kind, namespace }: AdmissionRequest, { metadata }: KubernetesObject): string {
  return `${kind.kind} ${namespace}/${metadata.name}`;
}

/** What is there already may go, and be changed by those who see to that, such as for a finalizer. */
function elsewhere(operation: AdmissionRequest['operation'], object: string, namespace: string): Verdict {
  if (operation === 'DELETE') return { allowed: true };
  const message = `is not ${namespace}, the only namespace whose resources are read: create it there`;
  const problem = `${object}: metadata.namespace: ${message}`;
  return operation === 'CREATE' ? { allowed: false, message: problem } : { allowed: true, warnings: [problem] };
}

function unread(operation: AdmissionRequest['operation'], object: string): Verdict {
  if (operation === 'DELETE') return { allowed: true };
  const message = `${object}: cannot be judged yet, for this controller has not read the other resources: try again in a moment`;
  return { allowed: false, message };
}

/** The BGPPeers that name the profile. */
function usersOf({ metadata }: KubernetesObject, { peers = [] }: Resources): readonly string[] {
  const named = (peers as readonly BGPPeerObject[]).filter(({ spec }) => spec?.bfdProfile === metadata.name);
  return named.map((peer) => `BGPPeer ${peer.metadata.namespace}/${peer.metadata.name}`).sort();
}

function inUse(object: string, users: readonly string[]): ApiProblem {
  const message = `is the spec.bfdProfile of ${listed(users, ' and ')}: remove it there first`;
  return { object, field: 'metadata.name', value: undefined, message };
}

/** The resources with this object in the place of the one of its name; undefined: with none of its name. */
function withObject(
  resources: Resources,
  kind: keyof Resources,
  { metadata }: KubernetesObject,
  object: KubernetesObject | undefined,
): Resources {
  const others = ((resources[kind] ?? []) as readonly KubernetesObject[]).filter(
    (one) => one.metadata.name !== metadata.name,
  );
  return { ...resources, [kind]: object === undefined ? others : [...others, object] };
}

type Judgement = { readonly errors: readonly ConfigError[]; readonly warnings: readonly ApiProblem[] };

/** `alone` is judged on its own as well: what selects no node is left out among the others. */
function judged(resources: Resources, alone: Partial<Resources>, nodes: readonly Labels[]): Judgement {
  const compiled = compile(resources, { nodes: nodes.length === 0 ? undefined : nodes });
  const among = 'errors' in compiled ? compiled.errors : [];
  const own = compile({ pools: [], l2Advertisements: [], ...alone });
  const others = 'errors' in own ? own.errors.filter(({ awaits }) => awaits === undefined) : [];
  return {
    errors: [...among, ...others.filter((error) => !has(among, error))],
    warnings: 'errors' in compiled ? [] : compiled.warnings,
  };
}

/** Of another object, what is said about a field may change with the object under review, and yet be the same fault. */
function isOld(error: ApiProblem, before: readonly ApiProblem[], reviewed: string): boolean {
  if (error.object === reviewed) return has(before, error);
  return before.some(({ object, field }) => object === error.object && field === error.field);
}

function has(problems: readonly ApiProblem[], problem: ApiProblem): boolean {
  const text = formatProblem(problem);
  return problems.some((one) => formatProblem(one) === text);
}

function refusal(problems: readonly ApiProblem[]): Verdict {
  return { allowed: false, message: listed(problems.map(formatProblem), '; ') };
}

function listed(texts: readonly string[], separator: string): string {
  const more = texts.length - maxTold;
  return more <= 0 ? texts.join(separator) : `${texts.slice(0, maxTold).join(separator)}${separator}${more} more`;
}
