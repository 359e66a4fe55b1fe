import { addressBytes, addressText } from './address-text.ts';
import { type Config, ConfigError } from './config.ts';
import { maxMetaBytes, maxNameBytes } from './limits.ts';
import type { Self } from './member-table.ts';
import type { Endpoint } from './transport.ts';

/** The protocols that we understand. */
const protocolRange = [1, 5];

/**
 * What a member says of itself. Its application data, `meta`, stays as it is for as long as the member lives: every
 * change of that makes MetalLB's speakers decide everything anew. Throws ConfigError for what cannot work.
 */
export function selfOf(name: string, advertise: Endpoint, meta: Uint8Array, config: Config): Self {
  const bytes = addressBytes(advertise.address);
  const address = bytes && addressText(bytes);
  if (address === undefined || advertise.port < 1) {
    throw new ConfigError(`cannot advertise ${advertise.address} port ${advertise.port}`, 'ADDRESS');
  }
  if (name === '' || new TextEncoder().encode(name).length > maxNameBytes) {
    throw new ConfigError(`a member's name has 1 to ${maxNameBytes} bytes: "${name}"`, 'NAME');
  }
  if (meta.length > maxMetaBytes) {
    throw new ConfigError(`a member's application data has at most ${maxMetaBytes} bytes: ${meta.length}`, 'META');
  }
  const vsn = Uint8Array.from([...protocolRange, config.protocolVersion, ...config.delegateVersions]);
  // A copy, because the caller's array may change.
  return { name, address, port: advertise.port, meta: Uint8Array.from(meta), vsn };
}
