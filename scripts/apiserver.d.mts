/** Where the API server's and etcd's programs are, or why they are nowhere. Builds nothing. */
export function findApiServer(
  env?: Readonly<Record<string, string | undefined>>,
): { readonly directory: string; readonly problem?: never } | { readonly problem: string; readonly directory?: never };
