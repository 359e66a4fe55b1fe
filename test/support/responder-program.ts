import { createInterface } from 'node:readline';
import { parseAddress } from '../../src/ip/address.ts';
import { Responder, type ResponderOptions } from '../../src/layer2/responder.ts';

/**
 * A Responder in a process of its own, so that it can live in a namespace and die alone. The first argument is the
 * Responder's options as JSON; each line on stdin is a Command, each line on stdout a Report. Ends with stdin.
 */
export type Command = { readonly id: number } & (
  | { readonly do: 'setAnnouncements'; readonly table: readonly Wish[] }
  | { readonly do: 'announce'; readonly addresses: readonly string[] }
  | { readonly do: 'counters' | 'interfaces' | 'close' }
  /** Answered first; then the event loop stands still for as many milliseconds. */
  | { readonly do: 'block'; readonly milliseconds: number }
);

export type Wish = { readonly address: string; readonly interfaces: readonly string[] | 'all' };

export type Report =
  | { readonly id: number; readonly result?: unknown; readonly error?: string }
  | { readonly event: unknown };

const options = JSON.parse(process.argv[2]!) as Omit<ResponderOptions, 'onEvent'>;
const responder = new Responder({ ...options, onEvent: (event) => report({ event }) });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  try {
    report({ id: command.id, result: run(command) });
  } catch (thrown) {
    report({ id: command.id, error: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown) });
  }
  if (command.do === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, command.milliseconds);
}
responder.close();

function run(command: Command): unknown {
  switch (command.do) {
    case 'setAnnouncements':
      return responder.setAnnouncements(command.table.map((wish) => ({ ...wish, address: address(wish.address) })));
    case 'announce':
      return responder.announce(command.addresses.map(address));
    case 'counters':
      return responder.counters();
    case 'interfaces':
      return responder.interfaces();
    case 'close':
      return responder.close();
    case 'block':
      return undefined;
    default:
      return command satisfies never;
  }
}

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** Pipes are written synchronously, so a report is out before the event loop is blocked. */
function report(message: Report): void {
  const plain = JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
  process.stdout.write(`${plain}\n`);
}
