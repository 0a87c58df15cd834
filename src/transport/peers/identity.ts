import type { TlsMaterial } from '../tls-files.js';

/** Who a worker is to its peers. */
export interface PeerIdentity {
  readonly run: string;
  readonly term: number;
  /** This worker's number. */
  readonly member: number;
  /** What a peer must know to connect to this worker. */
  readonly key: Uint8Array;
  /** Null means plain text. */
  readonly tls: Pick<TlsMaterial, 'certificate' | 'key' | 'authority'> | null;
}

/** Another worker of the run, as the coordinator describes it. */
export interface Peer {
  readonly member: number;
  /** HOST:PORT. */
  readonly address: string;
  readonly key: Uint8Array;
  /** SHA-256 of its certificate (DER); empty in plain text. */
  readonly certificateSha256: Uint8Array;
}
