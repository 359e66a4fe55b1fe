/** Program of the tests: serves HTTP on the socket that its parent hands over. */
import { createServer } from 'node:http';
import { receiveLoopbackSocket } from '../../../src/lab/process/socket-handover.ts';

createServer((_, response) => response.end(`served by ${process.pid}`)).listen(await receiveLoopbackSocket());
