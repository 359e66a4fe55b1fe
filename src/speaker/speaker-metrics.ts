import { formatAddress } from '../ip/address.ts';
import type { CounterName, Counters, Responder } from '../layer2/responder.ts';
import { registerAnnouncedMetric, registerClientMetrics, registerLayer2Metrics } from '../telemetry/metallb-metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Speaker } from './speaker.ts';

type DropName = Extract<CounterName, `drop${string}`>;

/** All counters but those of frames that are dropped: for the node, not by address. */
const counters = {
  arpReceived: ['arp_received', 'ARP frames that passed the socket filter'],
  arpAnswered: ['arp_answered', 'ARP requests answered'],
  ndpReceived: ['ndp_received', 'Neighbour solicitations that passed the socket filter'],
  ndpAnswered: ['ndp_answered', 'Neighbour solicitations answered'],
  gratuitousArpSent: ['gratuitous_arp_sent', 'ARP frames sent unasked, of both forms'],
  unsolicitedNaSent: ['unsolicited_na_sent', 'Neighbour advertisements sent unasked'],
  probesSent: ['probes_sent', 'Frames that ask whether another host has an address'],
  conflictsReported: ['conflicts_reported', 'Claims of other hosts to an address of ours that were reported'],
  conflictsSuppressed: ['conflicts_suppressed', 'Such claims not reported: told before, or too many'],
  silences: ['silences', 'Times that nothing more was answered because the speaker did not run'],
  lapses: ['lapses', 'Times that nothing more was answered because the packet thread itself had not run'],
  sendFailures: ['send_failures', 'Frames that the kernel did not take'],
  kernelDrops: ['kernel_drops', 'Frames lost because the buffer of a socket was full'],
  tableSwaps: ['table_swaps', 'Tables of addresses handed to the packet thread'],
  linkChanges: ['link_changes', 'Changes of network interfaces'],
  linkResyncs: ['link_resyncs', 'Times that all interfaces were read anew because notifications were lost'],
  groupJoinFailures: ['group_join_failures', 'Multicast groups that could not be joined'],
  socketFailures: ['socket_failures', 'Sockets that could not be opened or failed'],
  eventsDropped: ['events_dropped', 'Events of the packet thread that the speaker did not take in time'],
  wakeups: ['wakeups', 'Times that the packet thread was woken'],
} as const satisfies Record<Exclude<CounterName, DropName>, readonly [name: string, help: string]>;

const drops = {
  dropTooShort: ['too_short', 'ends before its headers say'],
  dropTooLong: ['too_long', 'longer than the receive buffer'],
  dropOtherHost: ['other_host', 'to another MAC address or VLAN'],
  dropMalformed: ['malformed', 'a header field with a value that is not allowed'],
  dropNotRequest: ['not_request', 'no request, and claims nothing of ours'],
  dropBadSender: ['bad_sender', 'the MAC address of the sender is zero or of a group'],
  dropOwnSender: ['own_sender', 'our own frame came back'],
  dropBadHopLimit: ['bad_hop_limit', 'may come from beyond the link'],
  dropBadChecksum: ['bad_checksum', 'ICMPv6 checksum'],
  dropBadOption: ['bad_option', 'an NDP option that is empty, cut off or not allowed'],
  dropBadSource: ['bad_source', 'the IPv6 source does not fit the destination'],
  dropBadTarget: ['bad_target', 'asks for the address of a group'],
  dropNotAnnounced: ['not_announced', 'asks for an address that is not ours to answer for'],
  dropWrongInterface: ['wrong_interface', 'ours, but not on this interface'],
  dropHeld: ['held', 'ours to watch, not yet to answer for'],
  dropSilent: ['silent', 'the speaker did not run for too long'],
  dropForeignClaim: ['foreign_claim', 'another host says that our address is its own'],
} as const satisfies Record<DropName, readonly [reason: string, help: string]>;

/** All that `/metrics` of a speaker says beside the process. */
export function registerSpeakerMetrics(
  metrics: Metrics,
  speaker: Pick<Speaker, 'announced' | 'clientState' | 'membersAlive' | 'stateAge'>,
  responder: Pick<Responder, 'counters' | 'addressCounters' | 'status'>,
): void {
  registerClientMetrics(metrics, () => speaker.clientState());
  registerAnnouncedMetric(metrics, () => speaker.announced());
  metrics.register(
    'gauge',
    { name: 'garpoon_memberlist_alive', help: 'Speakers that this one knows to be alive, itself included', labels: [] },
    () => {
      const value = speaker.membersAlive();
      return value === undefined ? [] : [{ labels: {}, value }];
    },
  );
  const stateAge = {
    name: 'garpoon_state_age_seconds',
    help: 'How long ago what the speaker works from was known to be what the API server has; 0 while it is',
    labels: [],
  } as const;
  metrics.register('gauge', stateAge, () => {
    const age = speaker.stateAge();
    return age === undefined ? [] : [{ labels: {}, value: age / 1_000 }];
  });
  registerCounters(metrics, () => responder.counters());
  registerLayer2Metrics(metrics, function* () {
    for (const { address, ...counted } of responder.addressCounters()) yield { ip: formatAddress(address), ...counted };
  });
  metrics.register(
    'gauge',
    { name: 'garpoon_layer2_silent', help: '1 while nothing is answered because the speaker did not run', labels: [] },
    () => [{ labels: {}, value: Number(responder.status().silent) }],
  );
  const help = 'How the packet thread is scheduled: fifo (before all others), slice (sooner than others) or ordinary';
  metrics.register('gauge', { name: 'garpoon_layer2_scheduling', help, labels: ['policy'] }, () => [
    { labels: { policy: responder.status().scheduling }, value: 1 },
  ]);
}

function registerCounters(metrics: Metrics, read: () => Counters): void {
  for (const [counter, [name, help]] of entriesOf(counters)) {
    metrics.register('counter', { name: `garpoon_layer2_${name}_total`, help, labels: [] }, () => [
      { labels: {}, value: read()[counter] },
    ]);
  }
  const reasons = entriesOf(drops);
  const meanings = reasons.map(([, [reason, meaning]]) => `${reason}: ${meaning}`).join('; ');
  const description = {
    name: 'garpoon_layer2_dropped_total',
    help: `Frames not answered, by reason (${meanings})`,
    labels: ['reason'],
  } as const;
  metrics.register('counter', description, () => {
    const now = read();
    return reasons.map(([counter, [reason]]) => ({ labels: { reason }, value: now[counter] }));
  });
}

function entriesOf<T extends object>(table: T): [keyof T, T[keyof T]][] {
  return Object.entries(table) as [keyof T, T[keyof T]][];
}
