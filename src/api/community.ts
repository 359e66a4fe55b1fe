import { type CommunityValue, communityRemedy, maxCommunityLength, parseCommunity } from './community-value.ts';
import type { Field } from './field.ts';
import { compareTexts } from './label-selector.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `communities.metallb.io/v1beta1` as the API serves it: names for BGP communities. */
export type Community = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: { readonly communities?: readonly { readonly name: string; readonly value: string }[] };
};

export type CommunityDeclaration = {
  readonly object: string;
  readonly name: string;
  /** By name. */
  readonly aliases: readonly CommunityAlias[];
};

export type CommunityAlias = {
  readonly name: string;
  readonly value: CommunityValue;
  /** Where it stands in its object: `spec.communities[2]`. */
  readonly field: string;
};

/** As in deploy/crds. */
const maxAliases = 256;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseCommunityResource(raw: unknown): Parsed<CommunityDeclaration> {
  return parseResource('Community', raw, (root, { object, name }) => {
    const seen = new Set<string>();
    const aliases: CommunityAlias[] = [];
    for (const item of root.at('spec').at('communities').items(maxAliases)) {
      const alias = readAlias(item);
      if (alias === undefined) continue;
      if (seen.has(alias.name)) item.refuse('has the name of an earlier entry: remove one of the two');
      seen.add(alias.name);
      aliases.push(alias);
    }
    return { object, name, aliases: aliases.sort((a, b) => compareTexts(a.name, b.name)) };
  });
}

function readAlias(item: Field): CommunityAlias | undefined {
  const name = item.required().at('name').required().text();
  const text = item.at('value').required().text();
  if (name === undefined || text === undefined) return undefined;
  if (name === '' || name.length > maxCommunityLength) {
    item.at('name').refuse(`must have from 1 to ${maxCommunityLength} characters`);
  }
  const value = text.length > maxCommunityLength ? 'not-a-value' : parseCommunity(text);
  if (typeof value !== 'string') return { name, value, field: item.path };
  item.at('value').refuse(communityRemedy(value));
  return undefined;
}
