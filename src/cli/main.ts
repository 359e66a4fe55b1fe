#!/usr/bin/env node
import { version } from './version.ts';

/** Runs until it is done or told to stop; resolves to the exit code. */
type Command = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

// Imported when asked for: a speaker does not load the lab.
const commands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  controller: {
    summary: 'assign addresses to Services (one per cluster)',
    load: async () => (await import('../controller/main.ts')).main,
  },
  speaker: {
    summary: 'announce addresses from this node (one per node)',
    load: async () => (await import('../speaker/main.ts')).main,
  },
  status: {
    summary: 'what the speakers do, as they tell it to the cluster',
    load: async () => (await import('./status.ts')).main,
  },
  lab: {
    summary: 'a bare-metal LAN on this machine, to try it, demo it, test it',
    load: async () => (await import('../lab/main.ts')).main,
  },
};

const usage = `garpoon ${version}: LoadBalancer for bare-metal Kubernetes

usage: garpoon COMMAND [FLAGS]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}

garpoon COMMAND --help lists its flags.`;

process.exitCode = await run(process.argv.slice(2));

async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  switch (name) {
    case undefined:
      console.error(usage);
      return 2;
    case '--help':
    case 'help':
      console.log(usage);
      return 0;
    case '--version':
    case 'version':
      console.log(version);
      return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    console.error(`garpoon: there is no command ${JSON.stringify(name)}\n\n${usage}`);
    return 2;
  }
  return (await command.load())(rest, process.env);
}
