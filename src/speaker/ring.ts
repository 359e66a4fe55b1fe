import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddress } from '../ip/address.ts';
import type { BfdShare } from '../layer2/bfd-sessions.ts';
import type { Responder } from '../layer2/responder.ts';
import { Liveness } from '../liveness/liveness.ts';
import { PeerSessions } from '../liveness/peer-sessions.ts';
import { endpointText } from '../memberlist-lite/address-text.ts';
import { type Config, presets } from '../memberlist-lite/config.ts';
import { Memberlist } from '../memberlist-lite/memberlist.ts';
import { metallbConfig, metallbKeys } from '../memberlist-lite/metallb.ts';
import { NodeTransport } from '../memberlist-lite/node-transport.ts';
import { systemClock } from '../runtime/clock.ts';
import type { FlagValues } from '../runtime/flags.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemRandom } from '../runtime/random.ts';
import type { flags } from './flags.ts';
import { encodeMemberMeta, isOurs } from './member-meta.ts';

type Flags = FlagValues<typeof flags>;

/** Makes the ring of the speakers; undefined when there is to be none: then every Node counts as alive. */
export function livenessOf(
  values: Flags,
  responder: Responder,
  bfd: BfdShare,
  log: Logger,
): ((peers: () => readonly string[]) => Liveness) | undefined {
  const { 'ml-bindaddr': address, 'ml-bindport': port, 'node-name': name } = values;
  if (address === '') return undefined;
  const keys = gossipKeys(values['ml-secret-key-path'], log);
  const shared = { clock: systemClock, random: systemRandom, log: log.with({ component: 'memberlist' }) };
  const own = {
    name,
    advertise: { address, port },
    transport: new NodeTransport({ address, port }),
    config: ringConfig(values['ml-timing'], values['ml-config'], log),
    meta: encodeMemberMeta(macsOf(responder)),
    keys,
  };
  return (peers) =>
    new Liveness({
      ring: (options) => new Memberlist({ ...own, ...options, ...shared }),
      node: name,
      sessions: sessionsOf(values, bfd, keys?.[0], log),
      peers: () => peers().map((peer) => endpointText({ address: peer, port })),
      ...shared,
    });
}

/** The BFD sessions with the other speakers, if there are to be any. */
function sessionsOf(values: Flags, bfd: BfdShare, key: Uint8Array | undefined, log: Logger) {
  const local = parseAddress(values['ml-bindaddr']);
  if (local === undefined || values['bfd-interval'] === 0) return undefined;
  return new PeerSessions({
    responder: bfd,
    node: values['node-name'],
    local,
    port: values['bfd-port'],
    interval: values['bfd-interval'],
    multiplier: values['bfd-multiplier'],
    // SHA-1 takes 20 bytes; the key of the gossip itself is not to be used for anything else.
    key: key && createHmac('sha256', key).update('garpoon bfd').digest().subarray(0, 20),
    isOurs,
    log: log.with({ component: 'bfd' }),
  });
}

/**
 * The settings of the ring: those of MetalLB's config.json, if there is one, or else a preset. Throws when the file
 * cannot be read, or is none.
 */
export function ringConfig(preset: keyof typeof presets, file: string, log: Logger): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return presets[preset];
    throw new Error(`read the settings of the gossip ring, --ml-config=${file}`, { cause });
  }
  const parsed = metallbConfig(text);
  if ('problems' in parsed) throw new Error(`--ml-config=${file}: ${parsed.problems.join('; ')}`);
  log.info('ring settings', { file });
  return parsed.config;
}

/** By which the other speakers know us on the LAN. An interface that is down now may be up later. */
function macsOf(responder: Responder): readonly string[] {
  const used = responder.interfaces().filter(({ eligible, reason }) => eligible || reason === 'down');
  return used.map(({ mac }) => mac);
}

/**
 * The keys that the file `secretkey` in the folder gives, made as MetalLB makes them, so that both can be in one ring:
 * none from an empty file, as there. Throws when the file cannot be read.
 */
export function gossipKeys(folder: string, log: Logger): readonly Uint8Array[] | undefined {
  const keys = folder === '' ? undefined : metallbKeys(readSecret(folder));
  if (keys === undefined) {
    log.warn('gossip is not encrypted', { remedy: 'give --ml-secret-key-path, with a secretkey that is not empty' });
  }
  return keys;
}

function readSecret(folder: string): Uint8Array {
  try {
    return readFileSync(join(folder, 'secretkey'));
  } catch (cause) {
    throw new Error(`read the gossip key of --ml-secret-key-path=${folder}`, { cause });
  }
}
