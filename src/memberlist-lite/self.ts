import { addressBytes, addressText } from './address-text.ts';
import { noBytes } from './bytes.ts';
import { type Config, ConfigError } from './config.ts';
import { maxNameBytes } from './limits.ts';
import type { Self } from './member-table.ts';
import type { Endpoint } from './transport.ts';

/** We understand protocol 1 to 5 and speak 2, like everyone else. */
const protocolVersions = [1, 5, 2];

/**
 * What a member says of itself. It carries no application data: every change of that makes MetalLB's speakers decide
 * everything anew. Throws ConfigError for a name or an address that cannot work.
 */
export function selfOf(name: string, advertise: Endpoint, config: Config): Self {
  const bytes = addressBytes(advertise.address);
  const address = bytes && addressText(bytes);
  if (address === undefined || advertise.port < 1) {
    throw new ConfigError(`cannot advertise ${advertise.address} port ${advertise.port}`, 'ADDRESS');
  }
  if (name === '' || new TextEncoder().encode(name).length > maxNameBytes) {
    throw new ConfigError(`a member's name has 1 to ${maxNameBytes} bytes: "${name}"`, 'NAME');
  }
  const vsn = Uint8Array.from([...protocolVersions, ...config.delegateVersions]);
  return { name, address, port: advertise.port, meta: noBytes, vsn };
}
