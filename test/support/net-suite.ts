import { spawnSync } from 'node:child_process';
import { type Suite, suite } from './suite.ts';

/**
 * A suite whose tests make network namespaces. Without the right to, the test file runs again inside a user namespace
 * where it is root; where that is impossible too, every test is skipped and says why.
 */
export function netSuite(name: string): Suite {
  const lacking = enterNamespaces();
  const test = suite(name);
  if (lacking === undefined) return test;
  const none = Object.assign(() => {}, { each() {} });
  return Object.assign((title: string) => test.skip(title, lacking), { before: none, after: none, skip: test.skip });
}

/** Undefined when this process may make namespaces, otherwise why it may not. May not return: see above. */
function enterNamespaces(): string | undefined {
  if (process.getuid?.() === 0 && succeeds('unshare', '--net', '--mount', 'true')) return undefined;
  const asRoot = ['--user', '--map-root-user', '--net', '--mount'];
  if (process.env[marker] !== undefined || !succeeds('unshare', ...asRoot, 'true')) {
    return 'needs network namespaces: run as root, or on a kernel that lets users make user namespaces';
  }
  // `ip netns` keeps its names in /run/netns, and /sys must show the new network namespace.
  const mounts = 'mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys && exec "$@"';
  const itself = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const again = spawnSync('unshare', [...asRoot, 'sh', '-c', mounts, 'sh', ...itself], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  });
  // The other process has reported its tests; this one has none to report.
  process.removeAllListeners('exit');
  process.exit(again.status ?? 1);
}

const marker = 'GARPOON_TEST_NAMESPACE';

function succeeds(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
