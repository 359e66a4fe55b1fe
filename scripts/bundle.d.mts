/** Bundles src/ into dist/ if it has changed; resolves to the path of the product's bundle. */
export function bundle(): Promise<string>;
