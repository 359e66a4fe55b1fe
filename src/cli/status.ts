import type { ApiClient } from '../kubernetes/client.ts';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { systemClock } from '../runtime/clock.ts';
import { describeFlags, type FlagSet, parseFlags } from '../runtime/flags.ts';
import { bgpStatus } from './bgp-status.ts';
import type { Finding, Topic } from './topic.ts';

const flags = {
  namespace: {
    kind: 'text',
    short: 'n',
    help: 'where the speakers are',
    env: 'METALLB_NAMESPACE',
    default: 'metallb-system',
  },
  kubeconfig: { kind: 'text', help: 'kubeconfig file; by default $KUBECONFIG or ~/.kube/config', optional: true },
  output: { kind: 'text', short: 'o', help: 'table, or json', default: 'table', oneOf: ['table', 'json'] },
  help: { kind: 'boolean', short: 'h', help: 'print this' },
} as const satisfies FlagSet;

/** What can be asked about. */
const topics: Readonly<Record<string, Topic>> = { bgp: bgpStatus };

const usage = `usage: garpoon status TOPIC [FLAGS]

${Object.entries(topics)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}

${describeFlags(flags)}

It ends with 0 when all is well, with 1 when it is not, and with 2 when that cannot be said.`;

/** `garpoon status`: resolves to the exit code. */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = parseFlags(flags, argv, env);
  if ('problem' in parsed) return complain(`${parsed.problem}\n\n${usage}`);
  const { values, positionals } = parsed;
  const [name, ...more] = positionals;
  if (values.help || name === undefined) {
    console.log(usage);
    return 0;
  }
  const topic = Object.hasOwn(topics, name) ? topics[name] : undefined;
  if (topic === undefined) return complain(`there is no topic ${JSON.stringify(name)}\n\n${usage}`);
  if (more.length > 0) return complain(`${JSON.stringify(more[0])} is too much: give one topic\n\n${usage}`);
  let client: ApiClient;
  try {
    client = clientFromKubeConfig({ path: values.kubeconfig, clock: systemClock });
  } catch (error) {
    return complain(`no cluster: ${textOf(error)}; see --kubeconfig`);
  }
  try {
    const finding = await topic.look({ client, namespace: values.namespace, now: systemClock.wallTime() });
    tell(finding, values.output);
    return finding.isWell ? 0 : 1;
  } catch (error) {
    return complain(textOf(error));
  } finally {
    client.close();
  }
}

function tell({ table, objects, remark }: Finding, output: 'table' | 'json'): void {
  if (output === 'json') console.log(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2));
  else if (objects.length > 0) console.log(table);
  if (remark !== undefined) console.error(remark);
}

function complain(problem: string): number {
  console.error(`garpoon status: ${problem}`);
  return 2;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
