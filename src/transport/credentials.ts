import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { parseAddress } from '../run/address.js';
import type { TlsMaterial } from './tls-files.js';

/** Oldest TLS version that either side accepts. */
export const oldestTls = 'TLSv1.2';

/** How a worker connects to a coordinator: in plain text without certificates, otherwise with mutual TLS. */
export interface Dialling {
  /** The coordinator, HOST:PORT. */
  readonly address: string;
  /** Where the TCP connection goes, HOST:PORT: the coordinator, or a proxy in front of it. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * @param address HOST:PORT; the coordinator's certificate must name this host (a name or an IP address)
 * @param tls null for plain text
 * @param proxy HOST:PORT of an HTTP proxy; null connects to the coordinator directly
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
    // The certificate is checked against the dialled host, whatever server name is sent below.
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
  // RFC 6066 forbids an IP address as a server name. Node warns when gRPC sends one.
  const named = isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'coordinator' };
  return { address, target, credentials, options: { ...through, ...named } };
}
