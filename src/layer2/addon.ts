import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The native addon as it is exported, and where it was found. Throws an Error that says how to build it. */
export function loadAddonFile(): { readonly path: string; readonly addon: unknown } {
  // From dist/, beside the bundle or in the checkout; from src/layer2/.
  const places = ['./garpoon.node', '../build/Release/garpoon.node', '../../build/Release/garpoon.node'];
  const path = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((file) => existsSync(file));
  if (path === undefined)
    throw new Error(
      'the native addon garpoon.node is not built: npm run build:native, or npm rebuild garpoon where it is installed',
    );
  return { path, addon: createRequire(import.meta.url)(path) };
}

/** The functions of one part of the addon, which must all be there. */
export function loadAddonPart<T extends object>(names: readonly (keyof T & string)[]): T {
  const { path, addon } = loadAddonFile();
  const part = addon as T;
  if (names.some((name) => typeof part[name] !== 'function')) {
    throw new Error(`${path} is of another version: npm run build:native`);
  }
  return part;
}
