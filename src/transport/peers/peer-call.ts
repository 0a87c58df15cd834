import type { ClientHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { type Clock, whileAwake } from '../../clock.js';
import { grpcType, statusIn } from '../grpc-status.js';
import { keepAlive } from '../keepalive.js';
import { peerReceiveWindow, peerSilenceMs } from '../peering.js';
import { widenWindows } from '../receive-windows.js';
import { dial, type PeerConnection } from './dial.js';
import type { Peer, PeerIdentity } from './identity.js';

/** How long a call waits for its peer. */
export interface CallPatience {
  /** Time limit to connect, in milliseconds as of {@link whileAwake}. */
  readonly connectMs: number;
  /** As of {@link keepAlive}; {@link peerSilenceMs} where this is absent. */
  readonly silenceMs?: number;
}

export interface PeerCallListener {
  /** Called once, when the peer accepts the connection. */
  readonly onConnected: () => void;
  /** Called once, when the peer begins to answer. Absent for a call whose only answer is that it has ended. */
  readonly onAnswer?: () => void;
  /**
   * Called once, when the peer cannot be reached or has ended the call.
   * @param isRefused whether the peer says that this process or its messages are wrong
   */
  readonly onLost: (reason: string, isRefused: boolean) => void;
}

/** A gRPC call to a worker of the run, on a connection of its own. */
export class PeerCall {
  /** Takes and gives the messages with their frames. */
  readonly stream: ClientHttp2Stream;
  private readonly connection: PeerConnection;
  private isOver = false;
  /** Ends the time limit to connect. */
  private readonly stopWaiting: () => void;

  /** @param path of the method (`:path` of HTTP/2) */
  constructor(
    peer: Peer,
    identity: PeerIdentity,
    path: string,
    { connectMs, silenceMs = peerSilenceMs }: CallPatience,
    clock: Clock,
    private readonly listener: PeerCallListener,
  ) {
    this.stopWaiting = whileAwake(clock, connectMs, () =>
      this.lose(`it does not answer at ${peer.address}`, false),
    );
    this.connection = dial(peer, identity, (reason) => this.lose(reason, false));
    const { session } = this.connection;
    session.once('remoteSettings', () => {
      if (this.isOver) return;
      this.stopWaiting();
      if (listener.onAnswer) widenWindows(session, peerReceiveWindow);
      keepAlive(session, silenceMs, () => this.lose(`it has not answered for ${silenceMs} ms`, false));
      listener.onConnected();
    });
    session.once('close', () => this.lose('it ended the connection', false));
    this.stream = session.request({
      ...{ ':method': 'POST', ':path': path },
      ...{ 'content-type': grpcType, te: 'trailers' },
    });
    const end = (headers: Parameters<typeof statusIn>[0]) => {
      const { code, message } = statusIn(headers);
      this.lose(message, code === status.INVALID_ARGUMENT);
    };
    this.stream.once('response', (headers) => {
      if (listener.onAnswer && headers['grpc-status'] === undefined) listener.onAnswer();
      else end(headers);
    });
    this.stream.once('trailers', end);
    this.stream.on('error', ({ message }) => this.lose(message, false));
    this.stream.once('close', () => this.lose('it ended the stream', false));
  }

  /** Ends it at once. The listener is not called any more. */
  close(): void {
    this.isOver = true;
    this.stopWaiting();
    this.connection.destroy();
  }

  /** Ends it, and says why. */
  lose(reason: string, isRefused: boolean): void {
    if (this.isOver) return;
    this.close();
    this.listener.onLost(reason, isRefused);
  }
}
