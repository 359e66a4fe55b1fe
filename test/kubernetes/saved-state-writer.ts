/**
 * Program of the tests: writes state where there is room for little. Arguments: the directory, and how many Services.
 * Prints {error?, left}: why it failed, and the names in the directory afterwards.
 */
import { readdirSync } from 'node:fs';
import { SavedStateFile } from '../../src/kubernetes/saved-state-file.ts';
import { owner, stateOf } from './saved-objects.ts';

const [directory = '', ...counts] = process.argv.slice(2);
const file = new SavedStateFile(directory);
let error: unknown;
for (const count of counts) {
  error = await file.write(owner, stateOf(Number(count))).then(
    () => undefined,
    (failure: NodeJS.ErrnoException) => failure.code,
  );
}
const read = await file.read({ owner, now: 0, maxAge: 0 });
const services = read !== undefined && 'kinds' in read ? read.kinds.get('v1/services')?.length : undefined;
console.log(JSON.stringify({ error, left: readdirSync(directory), services }));
