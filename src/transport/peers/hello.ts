import { TransportError } from '../error.js';
import type { PeerHello, PeerHello__Output } from '../generated/fcaenet/v1/PeerHello.js';
import { protocolVersion } from '../service.js';
import { isCertificate, isSame } from './certificate-hash.js';
import type { Peer, PeerIdentity } from './identity.js';

/** What is said first on a stream to a peer. */
export function helloTo(peer: Peer, { run, term, member }: PeerIdentity): PeerHello {
  return { protocolVersion, run, term, member, key: Buffer.from(peer.key) };
}

/**
 * Checks whether a hello is meant for this worker.
 * @throws TransportError TRANSPORT_BAD_MESSAGE; the message never contains the key
 */
export function checkHello(
  hello: PeerHello__Output | null | undefined,
  self: PeerIdentity,
): PeerHello__Output {
  const refuse = (sentence: string) => new TransportError('TRANSPORT_BAD_MESSAGE', sentence);
  if (!hello) throw refuse('a peer sent another message before its hello');
  if (hello.protocolVersion !== protocolVersion) {
    throw refuse(`a peer speaks protocol version ${hello.protocolVersion}, expected ${protocolVersion}`);
  }
  if (hello.run !== self.run || hello.term !== self.term) {
    throw refuse(`a peer is of term ${hello.term} of a run, expected term ${self.term} of ${self.run}`);
  }
  if (!isSame(hello.key, self.key)) {
    throw refuse(
      `member ${hello.member} does not know the key of member ${self.member}, which every peer must know`,
    );
  }
  return hello;
}

/**
 * Checks that a sender has the certificate of the peer that it says it is.
 * @param der its certificate; undefined in plain text
 * @throws TransportError TRANSPORT_BAD_MESSAGE
 */
export function checkSender(peer: Peer, der: Uint8Array | undefined, { tls }: PeerIdentity): void {
  if (tls === null || isCertificate(der, peer.certificateSha256)) return;
  throw new TransportError(
    'TRANSPORT_BAD_MESSAGE',
    `a peer that calls itself member ${peer.member} has another certificate, expected the one with which it has joined the run`,
  );
}
