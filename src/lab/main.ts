import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '../runtime/clock.ts';
import { describeFlags, type FlagSet, parseFlags } from '../runtime/flags.ts';
import { systemRandom } from '../runtime/random.ts';
import { untilAskedToStop } from '../runtime/signals.ts';
import { jsonLogger, type LogLevel } from '../telemetry/json-logger.ts';
import { ControlClient } from './control-client.ts';
import { ControlServer, operationNames } from './control-server.ts';
import { runDemo } from './demo/demo.ts';
import { Story } from './demo/story.ts';
import { garpoonArgv } from './garpoon-processes.ts';
import { Lab, type LabOptions } from './lab.ts';
import { commandEnvironment } from './process/command.ts';
import { defaultStateDirectory, prepareStateDirectory } from './process/run-directory.ts';
import { handOverLoopbackSocket, receiveLoopbackSocket } from './process/socket-handover.ts';
import { decidePrivilege, userNamespaceArgv } from './process/user-namespace.ts';

const flags = {
  nodes: { kind: 'text', help: 'how many nodes, 1 to 9', default: '3' },
  'log-level': {
    kind: 'text',
    help: "the lab's own log, on standard error",
    default: 'none',
    oneOf: ['debug', 'info', 'warn', 'error', 'none'],
  },
  carrier: { kind: 'boolean', help: 'with cut: the node sees its link go down, as when a cable is pulled' },
  run: { kind: 'text', help: 'which lab, when several are up', optional: true },
  help: { kind: 'boolean', help: 'print this' },
} as const satisfies FlagSet;

const usage = `usage: garpoon lab COMMAND

  demo              the whole story: a Service gets an address, its node dies, another takes over
  up                a lab that stays until Ctrl-C
  exec HOST -- CMD  run a command on a host of the lab: a node, client, router, remote
  cut NODE          take a node off the LAN, silently; with --carrier, as when its cable is pulled
  plug NODE         put it back
  cut-api NODE      keep a node from the API server; plug-api NODE undoes it
  power-off NODE    everything on the node ends at once, and its cables are dead; power-on NODE undoes it
  stall NODE        keep the event loop of the node's speaker busy for 2 s
  kill NAME         kill the speaker of a node, or "controller"; stop NAME ends it in good order
  start NAME        start it again
  pause NAME        make it hang (SIGSTOP); resume NAME undoes it

${describeFlags(flags)}`;

/** `garpoon lab`: resolves to the exit code. */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const separator = argv.indexOf('--');
  const own = separator === -1 ? argv : argv.slice(0, separator);
  const command = separator === -1 ? [] : argv.slice(separator + 1);
  const parsed = parseFlags(flags, own, env);
  if ('problem' in parsed) return complain(parsed.problem);
  const { values, positionals } = parsed;
  const [verb, target, ...rest] = positionals;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (!/^[1-9]$/.test(values.nodes)) return complain(`--nodes=${values.nodes}: give a number from 1 to 9`);
  const state = defaultStateDirectory(undefined, env);
  try {
    if (verb === 'demo' || verb === 'up') {
      return await withPrivilege(state, argv, (hostSocket) => {
        const log = jsonLogger({
          clock: systemClock,
          level: values['log-level'] as LogLevel,
          write: (line) => process.stderr.write(line),
        });
        const options = { state, nodes: Number(values.nodes), clock: systemClock, random: systemRandom, log };
        return (verb === 'demo' ? demo : up)(hostSocket === undefined ? options : { ...options, hostSocket });
      });
    }
    if (verb === 'exec' && target !== undefined) {
      return await exec(await ControlClient.find(state, values.run), target, [...rest, ...command]);
    }
    if (verb !== undefined && operationNames.includes(verb) && target !== undefined) {
      const lab = await ControlClient.find(state, values.run);
      console.log(await lab.operate(verb, target, { carrier: values.carrier }));
      return 0;
    }
  } catch (error) {
    console.error(`garpoon lab: ${(error as Error).message}`);
    return 1;
  }
  return complain(verb === undefined ? 'a command is missing' : `cannot ${positionals.join(' ')}`);
}

function complain(problem: string): number {
  console.error(`garpoon lab: ${problem}\n\n${usage}`);
  return 2;
}

/** Runs `inside` where network namespaces may be made: in this process, or in one inside a user namespace. */
async function withPrivilege(
  state: string,
  argv: readonly string[],
  inside: (hostSocket: LabOptions['hostSocket']) => Promise<number>,
): Promise<number> {
  if (process.connected) {
    const [server, port] = await Promise.all([receiveLoopbackSocket(), receivePort()]);
    return inside({ server, port });
  }
  const privilege = await decidePrivilege();
  if (privilege.mode === 'direct') return inside(undefined);
  if (privilege.mode === 'refused') {
    console.error(`garpoon lab: ${privilege.reason}`);
    return 1;
  }
  prepareStateDirectory(state);
  const [program = '', ...args] = userNamespaceArgv(state, [...garpoonArgv(), 'lab', ...argv]);
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: commandEnvironment() });
  // The terminal's Ctrl-C reaches the child as well; it cleans up and ends, and so do we.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
  const ended = once(child, 'exit');
  const port = await handOverLoopbackSocket(child);
  child.send({ port });
  const [code] = await ended;
  return code ?? 1;
}

function receivePort(): Promise<number> {
  return new Promise((resolve) => {
    const listen = (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('port' in message)) return;
      process.off('message', listen);
      resolve(Number(message.port));
    };
    process.on('message', listen);
  });
}

async function demo(options: LabOptions): Promise<number> {
  const story = new Story({
    clock: systemClock,
    write: (text) => process.stdout.write(text),
    colour: process.stdout.isTTY && process.env.NO_COLOR === undefined,
  });
  return (await runDemo(options, story, untilAskedToStop())) ? 0 : 1;
}

async function up(options: LabOptions): Promise<number> {
  const asked = untilAskedToStop();
  console.log('building the lab: a LAN in network namespaces, an API server, a controller and a speaker on every node');
  const lab = await Lab.start(options);
  const control = new ControlServer(lab);
  await control.listen();
  console.log(`
The lab is up. In another shell:

  export KUBECONFIG=${lab.kubeconfig}
  kubectl get nodes,pods -A -o wide

Give Garpoon addresses, and a Service something to do:

  kubectl apply -f - <<END
  apiVersion: metallb.io/v1beta1
  kind: IPAddressPool
  metadata: { name: lan, namespace: metallb-system }
  spec: { addresses: [198.18.0.100-198.18.0.119, "2001:db8:0:1::100-2001:db8:0:1::1ff"] }
  ---
  apiVersion: metallb.io/v1beta1
  kind: L2Advertisement
  metadata: { name: lan, namespace: metallb-system }
  END
  kubectl create deployment web --image=any --port=80 --replicas=2
  kubectl expose deployment web --type=LoadBalancer --port=80
  kubectl get service web -w

Then look from the client, and break things:

  garpoon lab exec client -- curl -s http://198.18.0.100/
  garpoon lab exec client -- arping -c 1 -i eth0 198.18.0.100
  garpoon lab cut n1        plug n1        kill n1        pause n1        cut-api n1

Logs of the processes are in ${lab.directory.path}.
Ctrl-C ends the lab and removes everything.`);
  await asked;
  console.log('\nremoving the lab');
  await control.close();
  await lab.close();
  return 0;
}

/** Runs a command in a host's network, with this terminal. */
async function exec(lab: ControlClient, host: string, argv: readonly string[]): Promise<number> {
  const { pid, namespaces, hosts } = await lab.describe();
  const namespace = namespaces[host];
  if (namespace === undefined)
    throw new Error(`the lab has no host ${JSON.stringify(host)}: one of ${hosts.join(', ')}`);
  if (argv.length === 0) throw new Error('exec: give a command after the host');
  const inside = ['ip', 'netns', 'exec', namespace, ...argv];
  // A lab of an ordinary user lives in a user namespace of its own, whose names of namespaces only it can see.
  const entered =
    process.getuid?.() === 0
      ? inside
      : ['nsenter', '-t', String(pid), '-U', '-n', '-m', '--preserve-credentials', ...inside];
  const [program = '', ...args] = entered;
  const child = spawn(program, args, { stdio: 'inherit', env: commandEnvironment() });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
