import { readdirSync, readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { type Compiled, type CompileOptions, compile, type Resources } from '../../src/config/compile.ts';
import { admit, decodeObject } from '../../src/lab/api-server/admission.ts';
import { customKinds } from '../../src/lab/api-server/custom-kinds.ts';
import type { ApiObject, Json } from '../../src/lab/api-server/json.ts';
import { apiVersionOf, type Kind } from '../../src/lab/api-server/kind.ts';
import { StatusError } from '../../src/lab/api-server/status.ts';

export type Resource = { readonly apiVersion: string; readonly kind: string };

export type Fixture = {
  readonly file: string;
  readonly objects: readonly Resource[];
  /** Of a bad one: by the API server and by us, or by us alone. */
  readonly refusedBy: string | undefined;
  readonly field: string | undefined;
};

const root = new URL('../../', import.meta.url);

export function fixtures(verdict: 'good' | 'bad'): readonly Fixture[] {
  const folder = new URL(`test/fixtures/resources/${verdict}/`, root);
  const files = readdirSync(folder).sort();
  if (files.length === 0) throw new Error(`no fixtures in ${folder}`);
  return files.map((file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const [, refusedBy, field] = /^# refused by: (schema|semantics)\n# field: (\S+)\n/.exec(text) ?? [];
    const objects = parseAllDocuments(text).map((document) => document.toJS() as Resource);
    return { file: `${verdict}/${file}`, objects, refusedBy, field };
  });
}

const kindOf = {
  pools: 'IPAddressPool',
  l2Advertisements: 'L2Advertisement',
  bgpAdvertisements: 'BGPAdvertisement',
  peers: 'BGPPeer',
  bfdProfiles: 'BFDProfile',
  communities: 'Community',
  reservations: 'AddressReservation',
  layer2Policies: 'Layer2Policy',
  metalClasses: 'MetalLoadBalancerClass',
  metalPools: 'MetalLoadBalancerPool',
  metalPeers: 'MetalLoadBalancerBGPPeer',
  metalConfigurations: 'MetalLoadBalancerConfiguration',
} as const satisfies Readonly<Record<keyof Resources, string>>;

export function resourcesOf(objects: readonly Resource[]): Resources {
  const entries = Object.entries(kindOf).map(([key, kind]) => [key, objects.filter((one) => one.kind === kind)]);
  return Object.fromEntries(entries) as Resources;
}

export function compileAll(objects: readonly Resource[], options?: CompileOptions): Compiled {
  return compile(resourcesOf(objects), options);
}

export const definitions: readonly ApiObject[] = readdirSync(new URL('deploy/crds/', root), { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.yaml'))
  .sort()
  .map((file) => parse(readFileSync(new URL(`deploy/crds/${file}`, root), 'utf8')) as ApiObject);

const kinds = new Map<string, Kind>(
  definitions.flatMap(customKinds).map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]),
);

export type Refusal = { readonly field: string; readonly message: string };

/** What the lab's API server answers to an attempt to create the objects, once its expressions are ready. */
export function refusalsOfServer(objects: readonly Resource[], before?: Resource): readonly Refusal[] {
  return objects.flatMap((object) => refusalsOf(object, before));
}

function refusalsOf(object: Resource, before: Resource | undefined): readonly Refusal[] {
  const kind = kinds.get(`${object.apiVersion}/${object.kind}`);
  if (kind === undefined) throw new Error(`no definition of ${object.apiVersion} ${object.kind}`);
  const decode = (one: Resource) => decodeObject(kind, one as unknown as Json, 'Ignore', () => {});
  try {
    admit(kind, decode(object), before && decode(before));
    return [];
  } catch (thrown) {
    if (!(thrown instanceof StatusError)) throw thrown;
    const causes = thrown.details?.causes ?? [];
    if (causes.length === 0) throw thrown;
    return causes.map(({ field = '', message }) => ({ field, message })).filter(isOriginal);
  }
}

/** Not one that is there only because another keeps the server from looking further. */
function isOriginal({ message }: Refusal): boolean {
  return !message.includes('some validation rules were not checked') && !message.includes(' evaluating rule: ');
}
