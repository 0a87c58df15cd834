import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseAddress } from '../../run/address.js';
import { oldestTls } from '../credentials.js';
import { isCertificate } from './certificate-hash.js';
import type { Peer, PeerIdentity } from './identity.js';

/** A connection to a peer. */
export interface PeerConnection {
  readonly session: ClientHttp2Session;
  /** Ends it at once. What is still to be sent is not read any more. */
  readonly destroy: () => void;
}

/**
 * Connects to a peer. Its certificate must be the peer's, whatever host it names.
 * @param onFailed called with a reason when the connection fails, maybe several times
 */
export function dial(peer: Peer, { tls }: PeerIdentity, onFailed: (reason: string) => void): PeerConnection {
  // Port 0 of an address that is none leads to an error like that of a wrong port.
  const { host, port } = parseAddress(peer.address) ?? { host: peer.address, port: 0 };
  const fail = (error: NodeJS.ErrnoException) => onFailed(error.message || error.code || String(error));
  // Not `tls.connect` alone: only this tells of its connections, which are watched (closeLostConnections).
  const socket = connectTcp({ host, port, noDelay: true }).on('error', fail);
  const secured =
    tls === null
      ? socket
      : connectTls({
          ...{ socket, cert: tls.certificate, key: tls.key, ca: tls.authority, minVersion: oldestTls },
          ...{ rejectUnauthorized: true, ALPNProtocols: ['h2'] },
          checkServerIdentity: (_, { raw }) =>
            isCertificate(raw, peer.certificateSha256)
              ? undefined
              : new Error('it has another certificate, expected the one with which it has joined the run'),
        }).on('error', fail);
  const session = connect(tls === null ? 'http://worker' : 'https://worker', {
    createConnection: () => secured,
  }).on('error', fail);
  return {
    session,
    destroy() {
      session.destroy();
      secured.destroy();
      socket.destroy();
    },
  };
}
