// Brings what a command of package.json needs: npm packages, the native addon, Debian packages. Says what it does,
// does nothing when all is there. Runs on whatever Node the machine has (18 or newer), before anything is installed.
//
//   node scripts/setup.mjs build|lab|check|native|apiserver|test|bench [-- SCRIPT ARGS…]
//
// With a script, goes on with that one on the Node that package.json brings. A second `node` in the same shell line
// would not do: shells remember where they found the first.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

// command -> the Debian package that has it
const compiler = { 'g++': 'g++', make: 'make', python3: 'python3' };
const network = { ip: 'iproute2', nft: 'nftables', setpriv: 'util-linux', unshare: 'util-linux', sysctl: 'procps' };
const client = { curl: 'curl', arping: 'arping', ndisc6: 'ndisc6', ping: 'iputils-ping' };
const clang = { 'clang++': 'clang', 'clang-format': 'clang-format' };
const cmake = { cmake: 'cmake', ninja: 'ninja-build' };

const profiles = {
  build: { addon: false, commands: {} },
  lab: { addon: true, commands: { ...compiler, ...network, ...client }, kubectl: 'any' },
  check: { addon: false, commands: { 'clang-format': 'clang-format' } },
  native: { addon: false, commands: { ...compiler, ...cmake, ...clang, ...network }, fuzzer: true },
  apiserver: { addon: false, commands: { openssl: 'openssl' } },
  bench: {
    addon: true,
    commands: {
      ...compiler,
      ...network,
      ...client,
      ethtool: 'ethtool',
      taskset: 'util-linux',
      tcpdump: 'tcpdump',
      vtysh: 'frr',
      birdc: 'bird2',
    },
  },
  test: {
    addon: true,
    commands: {
      ...compiler,
      ...cmake,
      ...clang,
      ...network,
      ...client,
      ethtool: 'ethtool',
      tcpdump: 'tcpdump',
      serf: 'serf',
      vtysh: 'frr',
      birdc: 'bird2',
      gobgpd: 'gobgpd',
      exabgp: 'exabgp',
      // FRR has a bgpd of its own, elsewhere.
      bgpctl: 'openbgpd',
      openssl: 'openssl',
      bridge: 'iproute2',
    },
    fuzzer: true,
    kubectl: 'debian',
  },
};

const profileName = process.argv[2] ?? 'build';
const profile = profiles[profileName];
if (profile === undefined) stop(`unknown profile ${profileName}; one of ${Object.keys(profiles).join(', ')}`);

process.chdir(root);
debianPackages();
npmPackages();
if (profile.addon) addon();
if (profile.kubectl === 'debian') debianKubectl();
if (process.argv[3] === '--') goOn(process.argv.slice(4));

function goOn(args) {
  const bin = resolve('node_modules', '.bin');
  const brought = join(bin, 'node');
  const child = spawn(existsSync(brought) ? brought : process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  });
  // The terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 143)));
}

function npmPackages() {
  const want = digest(['package-lock.json', 'package.json']);
  const stamp = join('node_modules', '.garpoon-setup');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  say('installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, want);
}

function addon() {
  const sources = listFiles('native').filter((file) => /^native\/[^/]+\.(cc|h|txt)$/.test(file));
  const want = digest(['binding.gyp', ...sources]);
  const stamp = join('build', '.garpoon-addon');
  const built = join('build', 'Release', 'garpoon.node');
  if (existsSync(built) && existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  say('building the native addon (npm run build:native)');
  run('npm', ['run', '--silent', 'build:native'], { stdio: ['ignore', 'pipe', 'pipe'] });
  writeFileSync(stamp, want);
}

function debianPackages() {
  const missing = new Set(
    Object.entries(profile.commands)
      .filter(([command]) => !hasCommand(command))
      .map(([, name]) => name),
  );
  if (profile.kubectl === 'any' && !hasCommand('kubectl')) missing.add('kubernetes-client');
  if (profile.fuzzer && !hasFuzzerRuntime()) missing.add(`libclang-rt-${clangMajor()}-dev`);
  install([...missing].sort());
  // Which version of clang there is, is known only now if it was missing.
  if (profile.fuzzer && !hasFuzzerRuntime()) install([`libclang-rt-${clangMajor()}-dev`]);
}

function install(names) {
  if (names.length === 0) return;
  const line = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  if (process.getuid?.() !== 0 || !hasCommand('apt-get')) {
    stop(`these Debian packages are missing; as root, run:\n  ${line}`);
  }
  say(`installing Debian packages: ${names.join(' ')}`);
  aptGet(['update', '-qq']);
  aptGet(['install', '-y', '-qq', '--no-install-recommends', ...names]);
}

/** The kubectl that Debian ships, unpacked beside whatever kubectl the machine has of its own. */
function debianKubectl() {
  const directory = join('build', 'tools', 'debian-kubectl');
  if (existsSync(join(directory, 'usr', 'bin', 'kubectl'))) return;
  if (!hasCommand('apt-get') || !hasCommand('dpkg-deb')) {
    say("no apt-get here: the tests run with this machine's own kubectl only");
    return;
  }
  say("fetching Debian's kubectl (package kubernetes-client)");
  mkdirSync(directory, { recursive: true });
  if (process.getuid?.() === 0) aptGet(['update', '-qq']);
  // As root, apt would download as a user of its own, who may not write here.
  run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', '-qq', 'kubernetes-client'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const archive = readdirSync(directory).find((name) => name.endsWith('.deb'));
  run('dpkg-deb', ['-x', archive, '.'], { cwd: directory });
}

function hasFuzzerRuntime() {
  const installed = listSafely('/usr/lib').filter((name) => name.startsWith('llvm-'));
  return installed.some((name) => {
    const clangDirectory = join('/usr/lib', name, 'lib', 'clang');
    return listSafely(clangDirectory).some((version) =>
      listSafely(join(clangDirectory, version, 'lib', 'linux')).some((file) => file.includes('fuzzer')),
    );
  });
}

function clangMajor() {
  const versions = listSafely('/usr/lib').map((name) => /^llvm-(\d+)$/.exec(name)?.[1]);
  const highest = Math.max(0, ...versions.filter(Boolean).map(Number));
  return highest === 0 ? 14 : highest;
}

function aptGet(args) {
  run('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { stdio: ['ignore', 2, 'inherit'], ...options });
  if (error) stop(`${command}: ${error.message}`);
  if (status === 0) return;
  for (const output of [stdout, stderr]) if (output) process.stderr.write(output);
  stop(`${[command, ...args].join(' ')} ended with ${status}`);
}

function hasCommand(name) {
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) hash.update(`${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function listFiles(directory) {
  return listSafely(directory).map((name) => `${directory}/${name}`);
}

function listSafely(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function say(text) {
  console.error(`setup: ${text}`);
}

function stop(text) {
  console.error(`setup: ${text}`);
  process.exit(1);
}
