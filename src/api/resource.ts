import { type ApiProblem, Field } from './field.ts';

export type Labels = Readonly<Record<string, string>>;

/** The part of `metadata` that every resource of ours has. */
export type ResourceMeta = {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly resourceVersion?: string;
  readonly generation?: number;
};

export type Parsed<T> = { readonly value: T } | { readonly problems: readonly ApiProblem[] };

export type Identity = { readonly object: string; readonly name: string; readonly labels: Labels };

/** Reads one object of the kind. All its problems are told at once; a value is given only when there is none. */
export function parseResource<T>(kind: string, raw: unknown, read: (root: Field, identity: Identity) => T): Parsed<T> {
  const problems: ApiProblem[] = [];
  const object = nameOf(kind, raw);
  const root = Field.root(object, raw, problems);
  const metadata = root.at('metadata').required();
  const name = metadata.at('name').required().text() ?? '';
  if (name === '') metadata.at('name').refuse('must not be empty');
  const value = read(root, { object, name, labels: metadata.at('labels').textMap() });
  return problems.length === 0 ? { value } : { problems };
}

function nameOf(kind: string, raw: unknown): string {
  const metadata = Field.root(kind, raw, []).at('metadata');
  const namespace = metadata.at('namespace').text();
  const name = metadata.at('name').text() || '(unnamed)';
  return `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
}
