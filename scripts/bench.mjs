// npm run bench: JSON lines on stdout, one per figure; what is going on, on stderr.
//
//   node scripts/bench.mjs [NAME…] [--long]                     bench/NAME.ts; without a name, all
//   node scripts/bench.mjs failover [case=CASE] [trials=N]      a part of it
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(resolve(fileURLToPath(new URL('..', import.meta.url))));
/** What the benches share, and no benches. */
const shared = [
  'bench.ts',
  'bfd-timers.ts',
  'first-fit.ts',
  'packet-lab.ts',
  'packet-rates.ts',
  'member-program.ts',
  'simulated-ring.ts',
];
const known = readdirSync('bench')
  .filter((file) => file.endsWith('.ts') && !shared.includes(file))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
/** For the benches that know them. */
const settings = process.argv.slice(2).filter((argument) => /^(case|trials)=/.test(argument));
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('-') && !settings.includes(argument));

const unknown = [...named.filter((name) => !known.includes(name)), ...flags.filter((flag) => flag !== '--long')];
if (unknown.length > 0) {
  console.error(
    `bench: unknown: ${unknown.join(' ')}\nusage: npm run bench -- [NAME…] [--long] [case=CASE] [trials=N]\nnames: ${known.join(' ')}`,
  );
  process.exit(2);
}

// A bench that hangs must not hang the rest: they are written to end within two minutes, or with --long within ten,
// but for those that wait for what takes its time.
const [short, long] = [240_000, 1_200_000];
const slow = { failover: [900_000, 4 * 3_600_000] };
let failed = 0;
for (const name of named.length > 0 ? named : known) {
  console.error(`bench ${name}`);
  const timeout = (slow[name] ?? [short, long])[flags.includes('--long') ? 1 : 0];
  const args = [join('bench', `${name}.ts`), ...flags, ...settings];
  const { status, signal, error } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout,
  });
  if (status === 0) continue;
  failed += 1;
  console.error(`bench ${name} failed: ${error?.message ?? signal ?? `exit code ${status}`}`);
}
process.exit(failed === 0 ? 0 : 1);
