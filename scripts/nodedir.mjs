// Prints the directory whose include/node has the headers of the Node.js that runs this, for node-gyp's --nodedir:
// so that building the addon downloads nothing.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const candidates = [join(root, 'node_modules', `node-linux-${process.arch}`), dirname(dirname(process.execPath))];
const found = candidates.find((directory) => existsSync(join(directory, 'include', 'node', 'node_api.h')));
if (found === undefined) {
  console.error(`no Node.js headers (include/node/node_api.h) in ${candidates.join(' or ')}`);
  process.exit(1);
}
console.log(found);
