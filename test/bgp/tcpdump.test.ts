import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeMessage } from '../../src/bgp/codec.ts';
import { shutdownCommunication } from '../../src/bgp/notification.ts';
import {
  encodeEndOfRib,
  encodeUpdates,
  type UpdateChanges,
  type WireAttributes,
} from '../../src/bgp/update-encoder.ts';
import { suite } from '../support/suite.ts';
import { address, bytesOf, prefix } from './wire-bytes.ts';

const test = suite('bgp/tcpdump');

const attributes: WireAttributes = {
  origin: 'igp',
  asPath: [64_500],
  nextHop: address('192.0.2.1'),
  communities: [],
  largeCommunities: [],
};
const viaSix: WireAttributes = { ...attributes, nextHop: address('2001:db8::1') };
const updates = (changes: Partial<UpdateChanges>) => [
  ...encodeUpdates({ announce: [], withdraw: [], ...changes }, { fourOctetAsn: true }),
];
const announcing = (of: WireAttributes, text: string) => {
  const parsed = prefix(text);
  return updates({ announce: [{ attributes: of, family: parsed.family, prefixes: [parsed] }] });
};

/** Lines of what it prints, in their order, without the flags and lengths. */
const shown: readonly [name: string, messages: readonly Uint8Array[], lines: readonly string[]][] = [
  [
    'an IPv4 route',
    announcing(
      {
        ...attributes,
        asPath: [4_200_000_000, 64_500],
        med: 5,
        communities: [0xffff0000, 0xffffff01],
        largeCommunities: [[64_500, 1, 2]],
      },
      '198.51.100.1/32',
    ),
    [
      'Flags [T]: IGP',
      'Flags [T]: 4200000000 64500',
      'Flags [T]: 192.0.2.1',
      'Multi Exit Discriminator (4), length: 4, Flags [O]: 5',
      'Community (8), length: 8, Flags [OT]: 65535:0,  NO_EXPORT',
      '64500:1:2',
      'Updated routes:',
      '198.51.100.1/32',
    ],
  ],
  [
    'an IPv6 route',
    announcing({ ...viaSix, localPref: 100, linkLocalNextHop: address('fe80::1') }, '2001:db8:1::/48'),
    [
      'Multi-Protocol Reach NLRI (14), length: 44, Flags [O]:',
      'AFI: IPv6 (2), SAFI: Unicast (1)',
      'nexthop: 2001:db8::1, fe80::1, nh-length: 32, no SNPA',
      '2001:db8:1::/48',
      'Flags [T]: IGP',
      'Local Preference (5), length: 4, Flags [T]: 100',
    ],
  ],
  // It takes the next hop for several of IPv4.
  [
    'an IPv4 route by an IPv6 next hop',
    announcing(viaSix, '198.51.100.1/32'),
    ['AFI: IPv4 (1), SAFI: Unicast (1)', 'nh-length: 16', '198.51.100.1/32', 'Flags [T]: IGP'],
  ],
  [
    'withdrawals',
    updates({ withdraw: ['198.51.100.1/32', '2001:db8::1/128'].map(prefix) }),
    ['Withdrawn routes:', '198.51.100.1/32', 'Multi-Protocol Unreach NLRI (15), length: 20', '2001:db8::1/128'],
  ],
  ['the end of the IPv4 routes', [encodeEndOfRib(4)], ['length: 23', 'End-of-Rib Marker (empty NLRI)']],
  [
    'the end of the IPv6 routes',
    [encodeEndOfRib(6)],
    ['AFI: IPv6 (2), SAFI: Unicast (1)', 'End-of-Rib Marker (empty NLRI)'],
  ],
  [
    'an OPEN',
    [
      encodeMessage({
        type: 'open',
        asn: 4_200_000_000,
        holdTime: 90,
        routerId: 0xc0000201,
        capabilities: [
          { kind: 'multiprotocol', family: 6 },
          { kind: 'route-refresh' },
          {
            kind: 'graceful-restart',
            restarted: true,
            notification: false,
            restartTime: 30,
            families: [{ family: 4, forwardingPreserved: true }],
          },
          { kind: 'four-octet-asn', asn: 4_200_000_000 },
        ],
      }),
    ],
    [
      'Version 4, my AS 23456, Holdtime 90s, ID 192.0.2.1',
      'Multiprotocol Extensions (1), length: 4',
      'AFI IPv6 (2), SAFI Unicast (1)',
      'Route Refresh (2), length: 0',
      'Restart Flags: [R], Restart Time 30s',
      'AFI IPv4 (1), SAFI Unicast (1), Forwarding state preserved: yes',
      '4 Byte AS 4200000000',
    ],
  ],
  [
    'a NOTIFICATION',
    [encodeMessage({ type: 'notification', code: 6, subcode: 2, data: shutdownCommunication('node draining') })],
    ['Cease (6), subcode Administrative Shutdown (2), Shutdown Communication (length: 13): "node draining"'],
  ],
  [
    'a ROUTE-REFRESH',
    [encodeMessage({ type: 'route-refresh', family: 6, subtype: 'request' })],
    ['Route Refresh Message (5), length: 23', 'AFI IPv6 (2), SAFI Unicast (1)'],
  ],
  ['a KEEPALIVE', [encodeMessage({ type: 'keepalive' })], ['Keepalive Message (4), length: 19']],
];
for (const [name, messages, lines] of shown) {
  test(`is shown ${name} by tcpdump`, () => {
    const text = tcpdump(messages);
    let at = 0;
    for (const line of lines) {
      const found = text.indexOf(line, at);
      assert.notEqual(found, -1, `"${line}" after ${at} in ${text}`);
      at = found + line.length;
    }
    assert.doesNotMatch(text, /invalid|malformed|truncated|\[\|bgp\]/i);
  });
}

/** What tcpdump makes of the messages, each as the only content of a TCP segment. */
function tcpdump(messages: readonly Uint8Array[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-bgp-'));
  try {
    const file = join(directory, 'messages.pcap');
    writeFileSync(file, capture(messages));
    const { status, stdout, stderr } = spawnSync('tcpdump', ['-n', '-vv', '-r', file], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The format of libpcap, with raw IP inside. */
function capture(messages: readonly Uint8Array[]): Uint8Array {
  const rawIp = 101;
  const file = Buffer.alloc(24);
  [0xa1b2c3d4, 0x00020004, 0, 0, 65_535, rawIp].forEach((word, i) => void file.writeUInt32BE(word, 4 * i));
  const packets = messages.map((bytes, i) => {
    const segment = bytesOf('0000 00b3 00000001 00000001 5018 ffff 0000 0000');
    segment[1] = i + 1;
    const length = 40 + bytes.length;
    const ip = bytesOf(`4500 ${length.toString(16).padStart(4, '0')} 0000 0000 4006 0000 c0000201 c0000202`);
    const head = Buffer.alloc(16);
    head.writeUInt32BE(length, 8);
    head.writeUInt32BE(length, 12);
    return Buffer.concat([head, ip, segment, bytes]);
  });
  return Buffer.concat([file, ...packets]);
}
