import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { parseAddress } from '../run/address.js';
import type { TlsMaterial } from './tls-files.js';

/** Oldest version of TLS that either side speaks. */
export const oldestTls = 'TLSv1.2';

/** How a worker dials a coordinator: in plain text where there are no certificates, else with both sides proven. */
export interface Dialling {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * @param address HOST:PORT; the coordinator's certificate must name this host, be it a name or an IP address
 * @param tls null for plain text
 */
export function diallingOf(address: string, tls: TlsMaterial | null): Dialling {
  if (tls === null) return { credentials: ChannelCredentials.createInsecure(), options: {} };
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
  const options = isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'coordinator' };
  return { credentials, options };
}
