/** What `garpoon/memberlist-lite` exports. Inside of this project, import the files. */
export { type Clock, systemClock, type Timer } from '../runtime/clock.ts';
export { type LogFields, type Logger, silentLogger } from '../runtime/logger.ts';
export { type Random, systemRandom } from '../runtime/random.ts';
export { endpointText, parseEndpoint } from './address-text.ts';
export { type Config, ConfigError, fast, lan, local, presets, wan } from './config.ts';
export type { Counters } from './counters.ts';
export { Keyring } from './keyring.ts';
export type { DropReason } from './malformed.ts';
export {
  type JoinFailure,
  type JoinResult,
  type Member,
  type MemberEvent,
  Memberlist,
  type MemberlistOptions,
  type MessageListener,
  type Sender,
  type SendFailure,
} from './memberlist.ts';
export type { MemberState } from './messages.ts';
export { type MetallbConfig, metallbConfig, metallbKey, metallbKeys } from './metallb.ts';
export { ListenError, NodeTransport } from './node-transport.ts';
export type { Endpoint, Stream, StreamHandlers, Transport, TransportHandlers } from './transport.ts';
