/**
 * Program of the tests: a lab that waits to be killed. Argument: the state directory. Prints {id, pid, child} as one
 * line of JSON: its run, a process in it, and that process's own child.
 */
import { readFileSync } from 'node:fs';
import { Network } from '../../src/lab/network/network.ts';
import { labTopology } from '../../src/lab/network/topology.ts';
import { ProcessTable } from '../../src/lab/process/process-table.ts';
import { RunDirectory } from '../../src/lab/process/run-directory.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { eventually } from '../support/suite.ts';

const directory = RunDirectory.create(process.argv[2] ?? '', systemRandom);
const network = new Network(directory.id, labTopology(1));
await network.up();
const processes = await ProcessTable.create(directory);
const started = processes.spawnIn(network.namespace('n1'), ['sh', '-c', 'sleep 600 & echo $!; wait'], {
  name: 'sleep',
});
const child = await eventually('the child has a pid', () => Number(readFileSync(started.log, 'utf8')));
console.log(JSON.stringify({ id: directory.id, pid: started.pid, child }));
