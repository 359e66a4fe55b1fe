import { createHmac, hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseAddress } from '../ip/address.ts';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { addressesInArpCache } from '../layer2/arp-cache.ts';
import { type GratuitousOptions, Responder, type ResponderEvent } from '../layer2/responder.ts';
import { Liveness } from '../liveness/liveness.ts';
import { PeerSessions } from '../liveness/peer-sessions.ts';
import { endpointText } from '../memberlist-lite/address-text.ts';
import { presets } from '../memberlist-lite/config.ts';
import { Memberlist } from '../memberlist-lite/memberlist.ts';
import { metallbKey } from '../memberlist-lite/metallb.ts';
import { NodeTransport } from '../memberlist-lite/node-transport.ts';
import { systemClock } from '../runtime/clock.ts';
import type { FlagValues } from '../runtime/flags.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemRandom } from '../runtime/random.ts';
import { runDaemon } from '../telemetry/daemon.ts';
import { flags } from './flags.ts';
import { encodeMemberMeta, isOurs } from './member-meta.ts';
import { ownInterfaces } from './own-interfaces.ts';
import { willReturn } from './return-prospect.ts';
import { Speaker } from './speaker.ts';
import { registerSpeakerMetrics } from './speaker-metrics.ts';

type Flags = FlagValues<typeof flags>;

/** What the responder takes, ms. */
const shortestLapse = 100;

/** `garpoon speaker`: runs until SIGTERM or SIGINT; resolves to the exit code. */
export function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runDaemon('speaker', flags, argv, env, (values, parent, metrics) => {
    const log = parent.with({ node: values['node-name'] });
    const client = clientFromKubeConfig({ path: values.kubeconfig, clock: systemClock });
    const deadline = values['silence-after'] * 1_000;
    const lapse = values['lapse-after'] === 0 ? 0 : Math.max(values['lapse-after'], shortestLapse);
    const responder = new Responder({
      excludeInterfaces: values['exclude-interfaces'].split(',').filter(Boolean),
      gratuitous: gratuitousOf(values),
      deadline,
      lapse,
      onEvent(event) {
        if (event.type === 'conflict') speaker.claimed(event);
        else if (event.type === 'lapse') speaker.lapsed(event.milliseconds);
        else if (event.type === 'bfd') ring?.session(event);
        else if (event.type !== 'answer') {
          if (event.type === 'interface') speaker.linksChanged();
          logResponderEvent(log, event);
        }
      },
    });
    let ring: Liveness | undefined;
    const liveness = livenessOf(values, responder, log);
    const returning = { client, namespace: values.namespace, podName: values['pod-name'], clock: systemClock, log };
    const speaker: Speaker = new Speaker({
      client,
      responder,
      deadline,
      lapse,
      announceRate: values['announce-rate'],
      addressProbe: values['address-probe'],
      addressesOf: addressesInArpCache,
      liveness:
        liveness &&
        ((peers) => {
          ring = liveness(peers);
          return ring;
        }),
      interfaces: () => ownInterfaces(responder.interfaces(), networkInterfaces()),
      restartGrace: values['restart-grace'] * 1_000,
      willReturn: () => willReturn(returning),
      nodeName: values['node-name'],
      podName: values['pod-name'],
      namespace: values.namespace,
      speakerLabels: values['ml-labels'],
      loadBalancerClass: values['lb-class'],
      ignoreExcludeLabel: values['ignore-exclude-lb'],
      stateDirectory: values['state-dir'],
      maxStateAge: values['state-max-age'] * 1_000,
      hash: (text) => hash('sha256', text, 'buffer'),
      clock: systemClock,
      random: systemRandom,
      log,
    });
    registerSpeakerMetrics(metrics, speaker, responder);
    return {
      start: () => speaker.start(),
      unready: () => speaker.unready(),
      async stop() {
        await speaker.stop();
        client.close();
      },
    };
  });
}

function gratuitousOf(values: Flags): GratuitousOptions {
  return {
    rounds: values['announce-rounds'],
    interval: values['announce-interval'],
    rate: values['announce-rate'],
    burst: values['announce-burst'],
    refresh: values['announce-refresh'] * 1_000,
    unicast: values['announce-unicast'],
  };
}

/** Makes the ring of the speakers; undefined when there is to be none: then every Node counts as alive. */
function livenessOf(
  values: Flags,
  responder: Responder,
  log: Logger,
): ((peers: () => readonly string[]) => Liveness) | undefined {
  const { 'ml-bindaddr': address, 'ml-bindport': port, 'node-name': name } = values;
  if (address === '') return undefined;
  const key = gossipKey(values['ml-secret-key-path'], log);
  const shared = { clock: systemClock, random: systemRandom, log: log.with({ component: 'memberlist' }) };
  const own = {
    name,
    advertise: { address, port },
    transport: new NodeTransport({ address, port }),
    config: presets[values['ml-timing']],
    meta: encodeMemberMeta(macsOf(responder)),
    keys: key && [key],
  };
  return (peers) =>
    new Liveness({
      ring: (options) => new Memberlist({ ...own, ...options, ...shared }),
      node: name,
      sessions: sessionsOf(values, responder, key, log),
      peers: () => peers().map((peer) => endpointText({ address: peer, port })),
      ...shared,
    });
}

/** The BFD sessions with the other speakers, if there are to be any. */
function sessionsOf(values: Flags, responder: Responder, key: Uint8Array | undefined, log: Logger) {
  const local = parseAddress(values['ml-bindaddr']);
  if (local === undefined || values['bfd-interval'] === 0) return undefined;
  return new PeerSessions({
    responder,
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

/** By which the other speakers know us on the LAN. An interface that is down now may be up later. */
function macsOf(responder: Responder): readonly string[] {
  const used = responder.interfaces().filter(({ eligible, reason }) => eligible || reason === 'down');
  return used.map(({ mac }) => mac);
}

/** The key in the folder, made as MetalLB makes it, so that both can be in one ring. */
function gossipKey(folder: string, log: Logger): Uint8Array | undefined {
  if (folder === '') {
    log.warn('gossip is not encrypted', { remedy: 'give --ml-secret-key-path' });
    return undefined;
  }
  const file = join(folder, 'secretkey');
  try {
    return metallbKey(readFileSync(file));
  } catch (cause) {
    throw new Error(`read the gossip key of --ml-secret-key-path=${folder}`, { cause });
  }
}

/** The responder's thread has no logger of its own. */
function logResponderEvent(log: Logger, event: Extract<ResponderEvent, { type: 'interface' | 'error' }>): void {
  const { type, ...fields } = event;
  switch (type) {
    case 'interface':
      log.info('interface', fields);
      break;
    case 'error':
      log.warn('responder failure', fields);
      break;
    default:
      throw new TypeError(`no event of type ${type satisfies never}`);
  }
}
