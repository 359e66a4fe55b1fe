import { execFileSync, spawnSync } from 'node:child_process';
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

/**
 * A suite whose file runs in a network namespace of its own, with nothing in it but loopback, so that it may give itself
 * addresses. Otherwise as `netSuite`.
 */
export function isolatedSuite(name: string): Suite {
  const test = process.env[marker] === undefined && mayMakeNamespaces() ? enter(['--net', '--mount']) : netSuite(name);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  return test;
}

/** Undefined when this process may make namespaces, otherwise why it may not. May not return: see above. */
function enterNamespaces(): string | undefined {
  if (mayMakeNamespaces()) return undefined;
  const asRoot = ['--user', '--map-root-user', '--net', '--mount'];
  if (process.env[marker] !== undefined || !succeeds('unshare', ...asRoot, 'true')) {
    return 'needs network namespaces: run as root, or on a kernel that lets users make user namespaces';
  }
  enter(asRoot);
}

function mayMakeNamespaces(): boolean {
  return process.getuid?.() === 0 && succeeds('unshare', '--net', '--mount', 'true');
}

/** Runs this test file again in new namespaces, in place of this process. */
function enter(namespaces: readonly string[]): never {
  // `ip netns` keeps its names in /run/netns, and /sys must show the new network namespace.
  const mounts = 'mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys && exec "$@"';
  const itself = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const again = spawnSync('unshare', [...namespaces, 'sh', '-c', mounts, 'sh', ...itself], {
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
