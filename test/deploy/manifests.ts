import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** One object of deploy/. Its fields are those that the tests look into. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: WorkloadSpec;
  readonly rules?: readonly object[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Subject[];
};

export type Subject = { readonly kind: string; readonly namespace?: string; readonly name: string };

type Labels = Readonly<Record<string, string>>;

type WorkloadSpec = {
  readonly selector: { readonly matchLabels: Labels };
  readonly template: {
    readonly metadata: { readonly labels: Labels };
    readonly spec: {
      readonly serviceAccountName: string;
      readonly securityContext: object;
      readonly containers: readonly Container[];
    };
  };
};

export type Container = {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } };
  }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number; readonly protocol?: string }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: object;
};

type Probe = { readonly httpGet: { readonly host?: string; readonly path: string; readonly port: number | string } };

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));

/** Every YAML document under deploy/, in the order in which kubectl would apply its files. */
export const manifests: readonly Manifest[] = readdirSync(deploy, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.ya?ml$/.test(file))
  .sort()
  .flatMap((file) => parseAllDocuments(readFileSync(`${deploy}/${file}`, 'utf8'), { strict: true, uniqueKeys: true }))
  .map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Manifest;
  });

/** The one object of this kind and name. */
export function manifest(kind: string, name: string): Manifest {
  const [found, another] = manifests.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined || another !== undefined) throw new Error(`deploy/ has not exactly one ${kind} ${name}`);
  return found;
}

/** The only container of a workload. */
export function containerOf({ kind, metadata, spec }: Manifest): Container {
  const [container, another] = spec?.template.spec.containers ?? [];
  if (container === undefined || another !== undefined) throw new Error(`${kind} ${metadata.name}: not one container`);
  return container;
}
