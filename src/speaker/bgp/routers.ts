import { networkInterfaces } from 'node:os';
import { addressBits, parseAddress } from '../../ip/address.ts';
import type { ApiClient } from '../../kubernetes/client.ts';
import type { EventRecorder } from '../../kubernetes/events.ts';
import { type BfdSessions, bfdOwner } from '../../layer2/bfd-sessions.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { FlagValues } from '../../runtime/flags.ts';
import type { Logger } from '../../runtime/logger.ts';
import { systemRandom } from '../../runtime/random.ts';
import { registerBfdMetrics, registerBgpMetrics } from '../../telemetry/bgp-metrics.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ClusterWatch } from '../cluster-watch.ts';
import type { flags } from '../flags.ts';
import { sha256 } from '../sha256.ts';
import { BgpSpeaker } from './bgp-speaker.ts';
import { LinkNeighbors } from './link-neighbors.ts';
import type { BGPNode } from './source-address.ts';
import { TcpTransport } from './tcp-transport.ts';

type Shared = {
  readonly client: ApiClient;
  readonly cluster: ClusterWatch;
  readonly events: EventRecorder;
};

/** All that a speaker needs to announce to routers, put together from its flags. */
export function routersOf(values: FlagValues<typeof flags>, bfd: BfdSessions, parent: Logger) {
  const log = parent.with({ component: 'bgp' });
  const transport = new TcpTransport();
  const discovery = new LinkNeighbors({ onChange: () => bgp?.linksChanged(), log });
  let bgp: BgpSpeaker | undefined;
  bfd.onEvent(bfdOwner.routers, (event) => bgp?.bfdChanged(event));
  return {
    speaker(shared: Shared): BgpSpeaker {
      bgp = new BgpSpeaker({
        ...shared,
        nodeName: values['node-name'],
        namespace: values.namespace,
        podName: values['pod-name'],
        loadBalancerClass: values['lb-class'],
        ignoreExcludeLabel: values['ignore-exclude-lb'],
        defaults: values['bgp-type'] === 'native' ? 'native' : 'frr',
        drainTime: values['bgp-drain-time'] * 1_000,
        transport,
        discovery,
        listen: (options) => transport.listen(options),
        bfd: bfd.share(bfdOwner.routers),
        interfaces: interfacesWithAddresses,
        hash: sha256,
        clock: systemClock,
        random: systemRandom,
        log,
      });
      return bgp;
    },
    register(metrics: Metrics): void {
      registerBgpMetrics(metrics, () => bgp?.bgpUses() ?? []);
      registerBfdMetrics(metrics, () => bgp?.bfdUses() ?? []);
    },
    close: () => discovery.close(),
  };
}

/** As the kernel has them now, those that are up. */
function interfacesWithAddresses(): BGPNode['interfaces'] {
  return Object.entries(networkInterfaces()).map(([name, own = []]) => ({
    name,
    addresses: own.flatMap(({ address, cidr }) => {
      const parsed = parseAddress(address.split('%')[0] ?? '');
      if (parsed === undefined) return [];
      const length = Number(cidr?.split('/')[1] ?? addressBits[parsed.family]);
      return [{ ...parsed, length }];
    }),
  }));
}
