// Runs the bundled product from a checkout: node scripts/garpoon.mjs ARGS…
import { spawn } from 'node:child_process';
import { bundle } from './bundle.mjs';

const entry = await bundle();
const child = spawn(process.execPath, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
// The terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
}
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 143)));
