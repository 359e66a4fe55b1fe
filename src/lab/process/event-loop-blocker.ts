/**
 * Program: keeps the event loop of another Node process busy. Arguments: PID MILLISECONDS. Ends when the loop runs again.
 *
 * By Node's own debugger, so that the product needs nothing for it: SIGUSR1 makes any Node process listen for one on the
 * loopback of its network, where this program must run too. The other threads of the process are not held up.
 */
import { sleep, systemClock } from '../../runtime/clock.ts';

/** Node's default. */
const debuggerUrl = 'http://127.0.0.1:9229/json/list';
/** Between two looks for the debugger, and how many: it opens within milliseconds. */
const pause = 20;
const attempts = 250;

const [pid, milliseconds] = process.argv.slice(2).map(Number);
process.kill(pid ?? 0, 'SIGUSR1');
await evaluate(await debuggerOf(), `for (const end = Date.now() + ${milliseconds}; Date.now() < end; );`);

async function debuggerOf(): Promise<string> {
  for (let i = 0; i < attempts; i++) {
    try {
      const [target] = (await (await fetch(debuggerUrl)).json()) as { webSocketDebuggerUrl: string }[];
      if (target !== undefined) return target.webSocketDebuggerUrl;
    } catch {
      // Not open yet.
    }
    await sleep(systemClock, pause);
  }
  throw new Error(`process ${pid}: no debugger on the loopback after SIGUSR1`);
}

function evaluate(url: string, expression: string): Promise<void> {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error(`${url}: the debugger closed the connection`));
    socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
    socket.onmessage = () => {
      socket.close();
      resolve();
    };
  });
}
