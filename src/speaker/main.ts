import { networkInterfaces } from 'node:os';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import { addressesInArpCache } from '../layer2/arp-cache.ts';
import { BfdSessions, bfdOwner } from '../layer2/bfd-sessions.ts';
import { type GratuitousOptions, Responder, type ResponderEvent } from '../layer2/responder.ts';
import { systemClock } from '../runtime/clock.ts';
import type { FlagValues } from '../runtime/flags.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemRandom } from '../runtime/random.ts';
import { runDaemon } from '../telemetry/daemon.ts';
import { routersOf } from './bgp/routers.ts';
import { flags } from './flags.ts';
import { ownInterfaces } from './own-interfaces.ts';
import { ownershipMetrics } from './ownership-metrics.ts';
import { willReturn } from './return-prospect.ts';
import { livenessOf } from './ring.ts';
import { sha256 } from './sha256.ts';
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
        else if (event.type === 'bfd') bfd.see(event);
        else if (event.type === 'answer') speaker.answered(event);
        else {
          if (event.type === 'interface') speaker.linksChanged();
          logResponderEvent(log, event);
        }
      },
    });
    const bfd = new BfdSessions(responder);
    bfd.onEvent(bfdOwner.speakers, (event) => speaker.session(event));
    const liveness = livenessOf(values, responder, bfd.share(bfdOwner.speakers), log);
    const routers = routersOf(values, bfd, log);
    const returning = { client, namespace: values.namespace, podName: values['pod-name'], clock: systemClock, log };
    const speaker: Speaker = new Speaker({
      client,
      responder,
      deadline,
      lapse,
      announceRate: values['announce-rate'],
      addressProbe: values['address-probe'],
      addressesOf: addressesInArpCache,
      liveness,
      interfaces: () => ownInterfaces(responder.interfaces(), networkInterfaces()),
      restartGrace: values['restart-grace'] * 1_000,
      willReturn: () => willReturn(returning),
      ownershipMetrics: ownershipMetrics(metrics),
      nodeName: values['node-name'],
      podName: values['pod-name'],
      namespace: values.namespace,
      speakerLabels: values['ml-labels'],
      loadBalancerClass: values['lb-class'],
      deckhouse: values.deckhouse,
      ignoreExcludeLabel: values['ignore-exclude-lb'],
      stateDirectory: values['state-dir'],
      maxStateAge: values['state-max-age'] * 1_000,
      hash: sha256,
      bgp: (shared) => routers.speaker({ ...shared, client }),
      clock: systemClock,
      random: systemRandom,
      log,
    });
    registerSpeakerMetrics(metrics, speaker, responder);
    routers.register(metrics);
    return {
      start: () => speaker.start(),
      unready: () => speaker.unready(),
      async stop() {
        await speaker.stop();
        routers.close();
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
