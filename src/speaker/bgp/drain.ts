import { drainedAttributes } from '../../bgp/attributes.ts';
import type { Route } from '../../bgp/route.ts';

/** The same routes while the node is being drained: still there, and the last that a router takes (RFC 8326). */
export function drained(routes: Iterable<Route>): readonly Route[] {
  return Array.from(routes, ({ prefix, attributes }) => ({ prefix, attributes: drainedAttributes(attributes) }));
}
