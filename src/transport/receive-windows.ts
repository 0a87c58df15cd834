import type { EventEmitter } from 'node:events';
import type { Http2Session, ServerHttp2Session } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** Lets the other side send so many bytes ahead of their reader, on its streams together and on each of them. */
export function widenWindows(session: Http2Session, bytes: number): void {
  if (session.destroyed) return;
  session.settings({ initialWindowSize: bytes });
  session.setLocalWindowSize(bytes);
}

/**
 * The receive windows of a gRPC server's connections. gRPC takes its option for them in clients only: a server has HTTP/2's 64
 * KiB, so that a peer sends at most as much in a round trip.
 */
export class ReceiveWindows {
  private readonly sessions = new Map<string, ServerHttp2Session>();

  /** @param server has its listeners and injectors already */
  constructor(server: Server) {
    // gRPC has no other way to its sessions.
    const { http2Servers } = server as unknown as { http2Servers: Map<EventEmitter, unknown> };
    for (const http2Server of http2Servers.keys()) {
      http2Server.on('session', (session: ServerHttp2Session) => this.keep(session));
    }
  }

  /**
   * As {@link widenWindows}.
   * @param peer ADDRESS:PORT, as gRPC names it; does nothing when it has disconnected
   */
  widen(peer: string, bytes: number): void {
    const session = this.sessions.get(peer);
    if (session) widenWindows(session, bytes);
  }

  private keep(session: ServerHttp2Session): void {
    const { remoteAddress, remotePort } = session.socket;
    const peer = `${remoteAddress}:${remotePort}`;
    this.sessions.set(peer, session);
    session.once('close', () => this.sessions.delete(peer));
  }
}
