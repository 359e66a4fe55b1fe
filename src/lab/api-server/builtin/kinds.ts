import type { ApiObject, JsonObject } from '../json.ts';
import { apiVersionOf, type Kind, noRules } from '../kind.ts';
import { builtinLists } from '../patch/list-layout.ts';
import { anything } from '../schema/shorthand.ts';
import { builtinPrinters, plainPrinter } from '../tables/printers.ts';
import { definitionRules } from './definition-rules.ts';
import { builtinRules } from './rules.ts';
import type { ServiceNetwork } from './service-defaults.ts';
import { serviceRules } from './service-rules.ts';
import { shapes } from './shapes.ts';

/** What of a built-in kind does not follow from its name. */
type Entry = Partial<
  Pick<
    Kind,
    | 'plural'
    | 'shortNames'
    | 'categories'
    | 'namespaced'
    | 'subresources'
    | 'generation'
    | 'statusOnCreate'
    | 'selectableFields'
    | 'nameForm'
  >
> & { readonly group?: string };

const statusOnly = { subresources: ['status'] } as const;
const workload = { group: 'apps', subresources: ['status', 'scale'], generation: true, categories: ['all'] } as const;

const rbac = { group: 'rbac.authorization.k8s.io', nameForm: 'path-segment' } as const;
const webhooks = { group: 'admissionregistration.k8s.io', namespaced: false, generation: true } as const;

/** Kept for whoever installs manifests, and without effect: nobody is authorised here. */
const passive: Readonly<Record<string, Entry>> = {
  ServiceAccount: { shortNames: ['sa'] },
  Role: rbac,
  RoleBinding: rbac,
  ClusterRole: { ...rbac, namespaced: false },
  ClusterRoleBinding: { ...rbac, namespaced: false },
};

const entries: Readonly<Record<string, Entry>> = {
  Namespace: {
    ...statusOnly,
    namespaced: false,
    shortNames: ['ns'],
    nameForm: 'label',
    selectableFields: ['status.phase'],
  },
  Node: {
    ...statusOnly,
    namespaced: false,
    shortNames: ['no'],
    statusOnCreate: true,
    selectableFields: ['spec.unschedulable'],
  },
  Pod: {
    subresources: ['status', 'eviction'],
    shortNames: ['po'],
    categories: ['all'],
    selectableFields: ['spec.nodeName', 'spec.restartPolicy', 'status.phase', 'status.podIP'],
  },
  Service: {
    ...statusOnly,
    shortNames: ['svc'],
    categories: ['all'],
    nameForm: 'label-1035',
    selectableFields: ['spec.clusterIP', 'spec.type'],
  },
  Endpoints: { plural: 'endpoints', shortNames: ['ep'] },
  Event: {
    shortNames: ['ev'],
    selectableFields: [
      ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (key) => `involvedObject.${key}`,
      ),
      ...['reason', 'reportingComponent', 'source', 'type'],
    ],
  },
  Secret: { selectableFields: ['type'] },
  ConfigMap: { shortNames: ['cm'] },
  Deployment: { ...workload, shortNames: ['deploy'] },
  ReplicaSet: { ...workload, shortNames: ['rs'] },
  DaemonSet: { ...workload, subresources: ['status'], shortNames: ['ds'] },
  ...passive,
  ValidatingWebhookConfiguration: webhooks,
  MutatingWebhookConfiguration: webhooks,
  EndpointSlice: { group: 'discovery.k8s.io', generation: true },
  Lease: { group: 'coordination.k8s.io' },
  CustomResourceDefinition: {
    ...statusOnly,
    group: 'apiextensions.k8s.io',
    namespaced: false,
    generation: true,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
  },
};

/** All kinds that are there without a definition. */
export function builtinKinds(network: ServiceNetwork, warn: (text: string) => void): Kind[] {
  const rules = { ...builtinRules, Service: serviceRules(network), CustomResourceDefinition: definitionRules(warn) };
  const stored = Object.entries(entries).map(([kind, entry]): Kind => {
    const basic = base(kind, entry);
    return { ...basic, rules: (rules as Readonly<Record<string, Kind['rules']>>)[kind] ?? noRules };
  });
  return [...stored, ...reviews()];
}

/** Reviews are answered, not stored: every token is good, and whoever asks may do anything here. */
function reviews(): Kind[] {
  const allowed = { allowed: true, reason: 'everything is allowed on this server' };
  const user = { username: 'lab', groups: ['system:authenticated'] };
  return [
    review('SelfSubjectAccessReview', 'authorization.k8s.io', allowed),
    review('SubjectAccessReview', 'authorization.k8s.io', allowed),
    review('TokenReview', 'authentication.k8s.io', { authenticated: true, user }),
  ];
}

function review(name: string, group: string, status: JsonObject): Kind {
  const kind = base(name, { group, namespaced: false });
  const answer = (object: ApiObject) => ({ ...object, apiVersion: apiVersionOf(kind), kind: name, status });
  return { ...kind, answer };
}

function base(kind: string, entry: Entry): Kind {
  const { group = '', shortNames = [], categories = [], subresources = [], selectableFields = [] } = entry;
  const plural = entry.plural ?? `${kind.toLowerCase()}s`;
  const resource = group === '' ? plural : `${plural}.${group}`;
  return {
    group,
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames,
    categories,
    namespaced: entry.namespaced ?? true,
    custom: false,
    resource,
    isServed: true,
    deprecation: undefined,
    storageVersion: 'v1',
    conversion: undefined,
    subresources,
    generation: entry.generation ?? false,
    statusOnCreate: entry.statusOnCreate ?? false,
    schema: shapes[kind] ?? anything,
    lists: builtinLists(kind),
    selectableFields,
    nameForm: entry.nameForm ?? 'subdomain',
    printer: builtinPrinters[kind] ?? plainPrinter,
    rules: noRules,
    answer: undefined,
  };
}
