import type { RouteAttributes } from './route.ts';

/**
 * By their text, the attributes that somebody still has. There are few: they come from configuration. Weak, so that
 * those of past configurations go.
 */
const known = new Map<string, WeakRef<RouteAttributes>>();
const interned = new WeakSet<RouteAttributes>();
const gone = new FinalizationRegistry<string>((text) => {
  if (known.get(text)?.deref() === undefined) known.delete(text);
});

/**
 * The one object of these attributes: of two that say the same the same is returned, so that `===` compares them.
 * Communities may be given in any order, and more than once.
 */
export function internAttributes(attributes: RouteAttributes): RouteAttributes {
  if (interned.has(attributes)) return attributes;
  const canonical = canonicalOf(attributes);
  const { localPref, med, communities, largeCommunities, prepend } = canonical;
  const text = `${localPref} ${med} ${prepend} ${communities.join()} ${largeCommunities.join(';')}`;
  const before = known.get(text)?.deref();
  if (before !== undefined) return before;
  known.set(text, new WeakRef(canonical));
  interned.add(canonical);
  gone.register(canonical, text);
  return canonical;
}

/** What one route says that several ask for: all communities, and of each preference the one that routers prefer. */
export function mergeAttributes(several: readonly [RouteAttributes, ...RouteAttributes[]]): RouteAttributes {
  const [first, ...others] = several;
  if (others.every((one) => one === first)) return internAttributes(first);
  return internAttributes({
    localPref: mostOf(several.map(({ localPref }) => localPref)),
    med: leastOf(several.map(({ med }) => med)),
    communities: several.flatMap(({ communities }) => communities),
    largeCommunities: several.flatMap(({ largeCommunities }) => largeCommunities),
    prepend: Math.min(...several.map(({ prepend }) => prepend)),
  });
}

/** RFC 8326: whoever knows the community prefers any other way. */
const gracefulShutdown = 0xffff_0000;

/** Of a route that is soon to be withdrawn: routers are to move its traffic elsewhere while it still arrives. */
export function drainedAttributes(attributes: RouteAttributes): RouteAttributes {
  const communities = [...attributes.communities, gracefulShutdown];
  return internAttributes({ ...attributes, localPref: 0, communities });
}

function canonicalOf({ localPref, med, communities, largeCommunities, prepend }: RouteAttributes): RouteAttributes {
  const large = new Map(largeCommunities.map((value) => [value.join(':'), value]));
  return {
    localPref,
    med,
    communities: [...new Set(communities)].sort((a, b) => a - b),
    largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
    prepend,
  };
}

/** One that says nothing has the preference of all that say nothing, 100. */
function mostOf(preferences: readonly (number | undefined)[]): number | undefined {
  const most = Math.max(...preferences.map((one) => one ?? defaultPreference));
  return preferences.includes(most) ? most : undefined;
}

const defaultPreference = 100;

function leastOf(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}
