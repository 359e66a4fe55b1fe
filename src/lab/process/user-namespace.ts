import { readFileSync } from 'node:fs';
import { CommandError, run } from './command.ts';
import { stateVariable } from './run-directory.ts';

/** How this process may make network namespaces. */
export type Privilege =
  /** As it is: root, or already inside a user namespace of its own. */
  | { readonly mode: 'direct' }
  /** Not as it is, but a user namespace may be made: start `userNamespaceArgv` and let that do the work. */
  | { readonly mode: 'user-namespace' }
  /** Not at all here. `reason` is one line for the user. */
  | { readonly mode: 'refused'; readonly reason: string };

/** What was tried and what the kernel is set to; the input of `judge`. */
export type Trial = {
  readonly uid: number;
  /** The first of `ip` and `nft` that is not installed. */
  readonly missing: string | undefined;
  readonly direct: Attempt;
  /** Undefined when `direct` worked, and so it was not tried. */
  readonly userNamespace: Attempt | undefined;
  /** user.max_user_namespaces, kernel.unprivileged_userns_clone (Debian), kernel.apparmor_restrict_unprivileged_userns
   * (Ubuntu): undefined where the kernel has no such setting. */
  readonly settings: Readonly<Record<keyof typeof settingFiles, string | undefined>>;
};

export type Attempt = { readonly worked: boolean; readonly said: string };

const settingFiles = {
  maximum: '/proc/sys/user/max_user_namespaces',
  unprivileged: '/proc/sys/kernel/unprivileged_userns_clone',
  apparmor: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
} as const;

/** Finds out by trying, because capabilities, seccomp and security modules all have a say. Takes about 20 ms. */
export async function decidePrivilege(): Promise<Privilege> {
  const missing = await firstMissing(['ip', 'nft']);
  const direct = await attempt(['unshare', '--net', '--mount', '--', 'sh', '-c', mountSys]);
  const trial = {
    uid: process.getuid?.() ?? 0,
    missing,
    direct,
    userNamespace: direct.worked ? undefined : await attempt([...unshareUser, 'sh', '-c', `${mountRun}; ${mountSys}`]),
    settings: {
      maximum: setting(settingFiles.maximum),
      unprivileged: setting(settingFiles.unprivileged),
      apparmor: setting(settingFiles.apparmor),
    },
  };
  return judge(trial);
}

/** Pure: from what was found to what to do, and when refused, why. */
export function judge(trial: Trial): Privilege {
  if (trial.missing !== undefined) {
    return { mode: 'refused', reason: `the lab needs the command "${trial.missing}" (packages iproute2 and nftables)` };
  }
  if (trial.direct.worked) return { mode: 'direct' };
  if (trial.userNamespace?.worked === true) return { mode: 'user-namespace' };
  const said = trial.userNamespace?.said ?? trial.direct.said;
  return { mode: 'refused', reason: `${refusalOf(trial)}; run the lab as root (${said})` };
}

/**
 * The command that runs `argv` as root of a new user namespace, with a network of its own (loopback up), a private /run
 * where `ip netns` may keep its names, and /sys of that network. Nothing it does touches the host's network. The state
 * directory stays visible at its place, though /run is covered, so that logs can be read from outside. The process dies
 * with the one that spawns it. `unshare` replaces itself: descriptors and the IPC channel reach `argv`.
 */
export function userNamespaceArgv(stateDirectory: string, argv: readonly string[]): readonly string[] {
  const script = [
    'set -e',
    'exec 9<"$1"', // the folder, before it is covered
    mountRun,
    'mkdir -p "$1"',
    // By descriptor and without canonicalising, because by name the folder is the new, empty one.
    'mount --no-canonicalize --bind /proc/self/fd/9 "$1"',
    'exec 9<&-',
    mountSys,
    'ip link set lo up',
    `export ${stateVariable}="$1"`,
    'shift',
    'if setpriv --pdeathsig KILL -- true 2>/dev/null; then exec setpriv --pdeathsig KILL -- "$@"; fi',
    'exec "$@"',
  ].join('\n');
  return [...unshareUser, 'sh', '-c', script, 'garpoon-lab', stateDirectory, ...argv];
}

const unshareUser = ['unshare', '--user', '--map-root-user', '--net', '--mount', '--'] as const;
const mountRun = 'mount -t tmpfs tmpfs /run';
const mountSys = 'mount -t sysfs sysfs /sys';

function refusalOf({ settings, uid }: Trial): string {
  if (settings.maximum === '0') return 'user namespaces are switched off here (user.max_user_namespaces = 0)';
  if (settings.unprivileged === '0') {
    return 'user namespaces are for root only here (kernel.unprivileged_userns_clone = 0)';
  }
  if (settings.apparmor === '1') {
    return 'AppArmor keeps user namespaces from ordinary programs here (kernel.apparmor_restrict_unprivileged_userns = 1)';
  }
  if (uid === 0) return 'this root may not make network namespaces (a container without CAP_SYS_ADMIN?)';
  return 'the kernel refuses this user a user namespace';
}

async function attempt(argv: readonly string[]): Promise<Attempt> {
  try {
    const result = await run(argv);
    return { worked: result.status === 0, said: result.stderr.trim().split('\n')[0] ?? '' };
  } catch (error) {
    if (error instanceof CommandError) return { worked: false, said: error.message };
    throw error;
  }
}

async function firstMissing(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    const found = await attempt(['sh', '-c', `command -v ${program}`]);
    if (!found.worked) return program;
  }
  return undefined;
}

function setting(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
