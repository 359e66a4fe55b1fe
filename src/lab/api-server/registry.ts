import type { Kind } from './kind.ts';

/** The kinds that are served now. Custom ones come and go with their definitions. */
export class Registry {
  #kinds: readonly Kind[];

  constructor(builtin: readonly Kind[]) {
    this.#kinds = builtin;
  }

  all(): readonly Kind[] {
    return this.#kinds;
  }

  find(group: string, version: string, plural: string): Kind | undefined {
    return this.at(group, version).find((kind) => kind.plural === plural);
  }

  /** The kind at its storage version. */
  ofResource(resource: string): Kind | undefined {
    return this.#kinds.find((kind) => kind.resource === resource && kind.version === kind.storageVersion);
  }

  /** Replaces every version of `resource`; none takes it away. */
  replace(resource: string, versions: readonly Kind[]): void {
    this.#kinds = [...this.#kinds.filter((kind) => kind.resource !== resource), ...versions];
  }

  /** Named groups (not the legacy one), by name, each with its versions, the preferred one first. */
  groups(): ReadonlyMap<string, readonly string[]> {
    const groups = new Map<string, string[]>();
    for (const { group, version, isServed } of this.#kinds.toSorted((a, b) => (a.group < b.group ? -1 : 1))) {
      if (group === '' || !isServed) continue;
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      groups.set(group, versions.sort(byVersionPriority));
    }
    return groups;
  }

  at(group: string, version: string): readonly Kind[] {
    return this.#kinds.filter((kind) => kind.isServed && kind.group === group && kind.version === version);
  }
}

/** v2, v1, v1beta2, v1beta1, v1alpha1, then anything else by name. */
export function byVersionPriority(a: string, b: string): number {
  const [x, y] = [rank(a), rank(b)];
  for (let i = 0; i < x.length; i++) {
    const difference = (y[i] as number) - (x[i] as number);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}

function rank(version: string): readonly number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const stability = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}
