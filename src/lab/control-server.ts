import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { blockEventLoop, powerOff, powerOn } from './failures.ts';
import type { Lab } from './lab.ts';

/** The socket in the run's directory, by which other shells reach a lab that is up. */
export const controlSocket = 'control.sock';

/** What `garpoon lab` tells of itself to another shell. */
export type LabDescription = {
  readonly pid: number;
  readonly kubeconfig: string;
  readonly hosts: readonly string[];
  /** Host name -> network namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
};

const maxBody = 4096;
/** How long `stall` takes, in milliseconds. */
const stallTime = 2_000;

type Operation = (lab: Lab, target: string, options: { readonly carrier?: boolean }) => Promise<string> | string;

/** Each takes a node; those on processes take `controller` too. The answer is a sentence for a person. */
const operations: Readonly<Record<string, Operation>> = {
  async cut(lab, node, { carrier = false }) {
    await lab.network.cut(node, { carrier });
    return carrier ? `${node} is off the LAN and sees it` : `${node} is off the LAN, and sees nothing of it`;
  },
  async plug(lab, node) {
    await lab.network.plug(node);
    return `${node} is on the LAN`;
  },
  async 'cut-api'(lab, node) {
    await lab.network.isolateApi(node);
    return `${node} no longer reaches the API server`;
  },
  async 'plug-api'(lab, node) {
    await lab.network.restoreApi(node);
    return `${node} reaches the API server`;
  },
  async 'power-off'(lab, node) {
    await powerOff(lab, node);
    return `${node} has no power; give it back with: garpoon lab power-on ${node}`;
  },
  async 'power-on'(lab, node) {
    await powerOn(lab, node);
    return `${node} has power, and its speaker runs`;
  },
  async stall(lab, node) {
    await blockEventLoop(lab, node, stallTime);
    return `the event loop of the speaker of ${node} did not run for ${stallTime / 1000} s`;
  },
  async kill(lab, name) {
    await lab.garpoon.kill(name);
    return `${describe(name)} is killed; start it again with: garpoon lab start ${name}`;
  },
  async stop(lab, name) {
    await lab.garpoon.kill(name, 'SIGTERM');
    return `${describe(name)} has ended in good order; start it again with: garpoon lab start ${name}`;
  },
  async start(lab, name) {
    await lab.garpoon.start(name);
    return `${describe(name)} runs`;
  },
  pause(lab, name) {
    lab.garpoon.pause(name);
    return `${describe(name)} hangs (SIGSTOP)`;
  },
  resume(lab, name) {
    lab.garpoon.resume(name);
    return `${describe(name)} runs again`;
  },
};

export const operationNames: readonly string[] = Object.keys(operations);

/** Lets other shells cut cables and kill processes of this lab, over a Unix socket that only this user can open. */
export class ControlServer {
  readonly #server: Server;
  readonly #path: string;

  constructor(lab: Lab) {
    this.#path = join(lab.directory.path, controlSocket);
    this.#server = createServer((request, response) => {
      answer(lab, request).then(
        ({ status, body }) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
        (error: Error) => response.writeHead(500).end(JSON.stringify({ problem: error.message })),
      );
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, resolve);
    });
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

async function answer(lab: Lab, request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  if (request.method === 'GET') return { status: 200, body: description(lab) };
  const { operation, target, ...options } = JSON.parse(await read(request));
  const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (run === undefined) return { status: 400, body: { problem: `no operation ${JSON.stringify(operation)}` } };
  try {
    return { status: 200, body: { done: await run(lab, String(target), options) } };
  } catch (error) {
    return { status: 400, body: { problem: (error as Error).message } };
  }
}

function description(lab: Lab): LabDescription {
  const hosts = [
    ...lab.network.topology.nodes.map(({ name }) => name),
    'client',
    'router',
    'remote',
    'switch',
    'management',
  ];
  return {
    pid: process.pid,
    kubeconfig: lab.kubeconfig,
    hosts,
    namespaces: Object.fromEntries(hosts.map((host) => [host, lab.network.namespace(host)])),
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > maxBody) throw new Error(`a request of more than ${maxBody} bytes`);
  }
  return text;
}

function describe(name: string): string {
  return name === 'controller' ? 'the controller' : `the speaker of ${name}`;
}
