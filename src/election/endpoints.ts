/** The parts of an EndpointSlice that say who can take traffic. */
export type EndpointSliceShape = {
  readonly endpoints?:
    | readonly {
        readonly nodeName?: string | null;
        readonly conditions?: { readonly ready?: boolean | null; readonly serving?: boolean | null } | null;
      }[]
    | null;
};

/** Where the pods of a Service can take traffic. */
export type ServingEndpoints = {
  /** Whether there is any at all, also one whose node is not known. */
  readonly any: boolean;
  readonly nodes: ReadonlySet<string>;
};

/** Joins all slices of one Service. */
export function servingEndpoints(slices: Iterable<EndpointSliceShape>): ServingEndpoints {
  let any = false;
  const nodes = new Set<string>();
  for (const slice of slices) {
    for (const { nodeName, conditions } of slice.endpoints ?? []) {
      if (!canServe(conditions ?? {})) continue;
      any = true;
      if (nodeName) nodes.add(nodeName);
    }
  }
  return { any, nodes };
}

/** Ready, or shutting down and still serving. An unset `ready` counts as ready (EndpointSlice API). */
function canServe(conditions: { readonly ready?: boolean | null; readonly serving?: boolean | null }): boolean {
  return (conditions.ready ?? true) || conditions.serving === true;
}
