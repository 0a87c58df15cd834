import type { TlsMaterial } from '../tls-files.js';

/** The coordinator's number among the members of a run. */
export const coordinatorNumber = 0;

/** Who a process is to its peers. */
export interface PeerIdentity {
  readonly run: string;
  readonly term: number;
  /** This process's number. */
  readonly member: number;
  /** What a peer must know to connect to this process; empty where none connects. */
  readonly key: Uint8Array;
  /** Null means plain text. */
  readonly tls: Pick<TlsMaterial, 'certificate' | 'key' | 'authority'> | null;
}

/** Another process of the run, as the coordinator describes it. */
export interface Peer {
  readonly member: number;
  /** HOST:PORT; empty for the coordinator, which connects itself. */
  readonly address: string;
  readonly key: Uint8Array;
  /** SHA-256 of its certificate (DER); empty in plain text. */
  readonly certificateSha256: Uint8Array;
}

/** An identity that another thread has sent: buffers arrive as plain bytes. */
export function receivedIdentity({ tls, ...identity }: PeerIdentity): PeerIdentity {
  const buffer = (bytes: Uint8Array) => Buffer.from(bytes);
  return {
    ...identity,
    tls: tls && {
      certificate: buffer(tls.certificate),
      key: buffer(tls.key),
      authority: buffer(tls.authority),
    },
  };
}
