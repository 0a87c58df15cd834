import { X509Certificate } from 'node:crypto';
import { type Address, formatAddress } from '../run/address.js';
import type { TlsMaterial } from '../transport/tls-files.js';

/** What the command line says about where a worker listens for its peers. */
export interface PeeringSettings {
  /** Null listens on loopback in plain text and on all addresses with TLS, at a free port. */
  readonly listen: Address | null;
  /** Where peers reach it; null is the address from which it has connected. A null port is the one it listens on. */
  readonly advertise: { readonly host: string; readonly port: number | null } | null;
}

/** Where a worker listens for its peers. */
export interface PeeringPlace {
  /** Null means all addresses. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  /** HOST:PORT for the peers. @param port the one it listens on */
  readonly advertised: (port: number) => string;
}

const serverAuth = '1.3.6.1.5.5.7.3.1';
const plainHost = '127.0.0.1';

/**
 * Where a worker listens for its peers, or why it cannot: a sentence.
 * @param localAddress IP address of its end of the connection to the coordinator
 * @param isProxied whether this connection goes through a proxy
 */
export function peeringPlace(
  { listen, advertise }: PeeringSettings,
  tls: TlsMaterial | null,
  localAddress: string,
  isProxied: boolean,
): PeeringPlace | string {
  if (isProxied && advertise === null) {
    return 'this worker connects through a proxy, and without --advertise others do not know its address';
  }
  const purposes = tls && new X509Certificate(tls.certificate).keyUsage;
  if (purposes && !purposes.includes(serverAuth)) {
    return "this worker's certificate is for clients only, but others connect only to one that is for servers too";
  }
  const host = listen?.host ?? (tls === null ? plainHost : null);
  // An IPv4 address comes in IPv6 form from a socket for both.
  const reached = tls === null ? host! : localAddress.replace(/^::ffff:/, '');
  return {
    host,
    port: listen?.port ?? 0,
    advertised: (port) => formatAddress(advertise?.host ?? reached, advertise?.port ?? port),
  };
}
