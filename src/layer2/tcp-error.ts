import { getSystemErrorName } from 'node:util';
import { type Address, formatAddress } from '../ip/address.ts';

/** What the system refused, on which call or socket option, and with what in hand. */
export type TcpError = Error & { readonly code: string; readonly syscall: string };

/** What an attempt was made with. */
export type TcpSubject = {
  readonly address: Address;
  readonly port?: number;
  readonly interface?: string | undefined;
  readonly device?: string | undefined;
  readonly sourceAddress?: Address | undefined;
};

/** From an error of the addon, which has an `errno` and the name of the call. Anything else comes back as it is. */
export function tcpError(cause: unknown, attempted: string, subject: TcpSubject, peer?: Address): unknown {
  if (!(cause instanceof Error) || !('errno' in cause)) return cause;
  const code = getSystemErrorName(-Number(cause.errno));
  const syscall = cause.message;
  const remedy = remedyOf(syscall, code, subject);
  const about = peer === undefined ? '' : ` for the peer ${formatAddress(peer)}`;
  const text = `${attempted} ${describe(subject)}${about}: ${syscall}: ${code}${remedy === undefined ? '' : `: ${remedy}`}`;
  return Object.assign(new Error(text), { code, syscall });
}

function describe({ address, port, interface: zone, device, sourceAddress }: TcpSubject): string {
  return [
    `${formatAddress(address)}${zone === undefined ? '' : `%${zone}`}`,
    port === undefined ? '' : ` port ${port}`,
    sourceAddress === undefined ? '' : ` from ${formatAddress(sourceAddress)}`,
    device === undefined ? '' : ` through ${device}`,
  ].join('');
}

function remedyOf(syscall: string, code: string, subject: TcpSubject): string | undefined {
  switch (`${syscall} ${code}`) {
    case 'if_nametoindex ENODEV':
      return `this node has no interface ${subject.interface}`;
    case 'SO_BINDTODEVICE ENODEV':
      return `this node has no interface or VRF ${subject.device}`;
    case 'SO_BINDTODEVICE EPERM':
      return 'this kernel asks for CAP_NET_RAW';
    case 'bind EADDRNOTAVAIL':
      return `${formatAddress(subject.sourceAddress ?? subject.address)} is not an address of this node`;
    case 'bind EADDRINUSE':
      return `another process has port ${subject.port}: is another BGP speaker running on this node?`;
    case 'bind EACCES':
      return `a port below 1024 needs CAP_NET_BIND_SERVICE`;
    case 'bind EINVAL':
    case 'connect EINVAL':
      return subject.interface === undefined ? 'a link-local address needs its interface' : undefined;
    case 'TCP_MD5SIG ENOMEM':
      return 'so many keys do not fit into what net.core.optmem_max gives a socket: raise it (or FIPS mode forbids MD5)';
    case 'TCP_MD5SIG ENOPROTOOPT':
    case 'TCP_MD5SIG EPERM':
      return 'this kernel has no TCP MD5 signatures, or not now (FIPS mode)';
    case 'connect ECONNREFUSED':
      return 'nothing listens there: does a BGP speaker run on the peer, and on this address and port?';
    case 'connect ENETUNREACH':
      return 'this node has no route to it';
    case 'connect EHOSTUNREACH':
      return 'nobody answers for that address on its link, or a router says that there is no way to it';
    case 'connect ECONNRESET':
      return 'the peer has closed at once: does it know this node as a neighbor, by this source address?';
    case 'connect ETIMEDOUT':
      return 'no answer: is there a router, has it the same password, and does its TTL pass?';
    default:
      return undefined;
  }
}
