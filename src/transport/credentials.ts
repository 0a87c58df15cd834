import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { parseAddress } from '../run/address.js';
import type { TlsMaterial } from './tls-files.js';

/** Oldest version of TLS that either side speaks. */
export const oldestTls = 'TLSv1.2';

/** How a worker dials a coordinator: in plain text where there are no certificates, else with both sides proven. */
export interface Dialling {
  /** The coordinator, HOST:PORT. */
  readonly address: string;
  /** Where the connection goes, HOST:PORT: to the coordinator, or to a proxy that leads there. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * @param address HOST:PORT; the coordinator's certificate must name this host, be it a name or an IP address
 * @param tls null for plain text
 * @param proxy HOST:PORT of an HTTP proxy to go through; null dials the coordinator itself
 */
export function diallingOf(address: string, tls: TlsMaterial | null, proxy: string | null = null): Dialling {
  const target = proxy ?? address;
  const through: ChannelOptions =
    proxy === null ? {} : { 'grpc.http_connect_target': `dns:${address}`, 'grpc.default_authority': address };
  if (tls === null) {
    return { address, target, credentials: ChannelCredentials.createInsecure(), options: through };
  }
  const host = parseAddress(address)?.host ?? address;
  const context = createSecureContext({
    cert: tls.certificate,
    key: tls.key,
    ca: tls.authority,
    minVersion: oldestTls,
  });
  const credentials = ChannelCredentials.createFromSecureContext(context, {
    // Whatever name is announced below, it is the dialled host that is checked.
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
  // An IP address may not be announced as a server's name (RFC 6066), and Node warns where gRPC does it.
  const named = isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'coordinator' };
  return { address, target, credentials, options: { ...through, ...named } };
}
