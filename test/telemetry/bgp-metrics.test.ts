import assert from 'node:assert/strict';
import { type BfdUse, registerBfdMetrics } from '../../src/telemetry/bgp-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('telemetry/bgp-metrics');

test("a BFD session has MetalLB's metrics", async () => {
  const use: BfdUse = {
    peer: '198.18.1.1:179',
    vrf: 'blue',
    up: true,
    packetsReceived: 11,
    packetsSent: 12,
    echoesReceived: 13,
    echoesSent: 14,
    downEvents: 2,
  };
  const metrics = new Metrics(new RecordedLog());
  registerBfdMetrics(metrics, () => [use]);
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(
    lines,
    Object.entries({
      session_up: 1,
      control_packet_input: 11,
      control_packet_output: 12,
      echo_packet_input: 13,
      echo_packet_output: 14,
      session_down_events: 2,
      session_up_events: 3,
    }).map(([name, value]) => `metallb_bfd_${name}{peer="198.18.1.1:179",vrf="blue"} ${value}`),
  );
});
