import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../../clock.js';
import { oldestTls } from '../../transport/credentials.js';
import { TransportError } from '../../transport/error.js';
import { http2Preface } from '../../transport/http2-preface.js';
import type { TlsMaterial } from '../../transport/tls-files.js';

/** Limits for peers that are not yet members. */
export interface HandshakeLimits {
  /** Time from the connection to a valid hello. */
  readonly helloMs: number;
  /** Time from the hello until the worker has loaded its engine and computed the probe. */
  readonly readyMs: number;
  /** Connections without a valid hello, in total and from one address. */
  readonly mostHandshakes: number;
  readonly mostHandshakesPerAddress: number;
  /** Connections in any state. */
  readonly mostConnections: number;
  /** Time for a refused worker to read the reason. */
  readonly lingerMs: number;
}

export const handshakeLimits: HandshakeLimits = {
  helloMs: 10_000,
  readyMs: 600_000,
  mostHandshakes: 256,
  mostHandshakesPerAddress: 64,
  mostConnections: 2_048,
  lingerMs: 1_000,
};

/** Why a peer closes once it has this side's certificate: a peer that accepts it goes on with HTTP/2. */
const untrusted =
  "it closed after it had received this coordinator's certificate, which is not from its authority (--tls-authority), or not for the host that it connects to (certs make --name)";

/**
 * State of one connection.
 * - `handshaking`: TCP is open; TLS, HTTP/2 or hello are not done
 * - `preparing`: the hello was valid; the worker loads its engine
 * - `joined`: its worker is a member of the run
 * - `closing`: it was refused and counted, or its worker is no longer a member
 */
export type ConnectionState = 'handshaking' | 'preparing' | 'joined' | 'closing';

export interface Connection {
  readonly address: string;
  /** The IP address of this machine at which it arrived. */
  readonly localAddress: string;
  readonly socket: Socket;
  /** When its certificate expires, Unix time in milliseconds; null in plain text, and before TLS is done. */
  certificateExpiryMs: number | null;
  /** SHA-256 of its certificate; empty in plain text, and before TLS is done. */
  certificateSha256: Buffer;
  /** The worker's name for itself; null before its hello. */
  name: string | null;
  state: ConnectionState;
  /** What the peer has received or sent: nothing, this coordinator's certificate, or own bytes after that. */
  progress: 'none' | 'certificate' | 'bytes';
  /** Whether it has opened its one stream. */
  streaming: boolean;
  /** Cancels its time limit. */
  cancelDeadline: () => void;
}

export interface ListenerOptions {
  /** Null for plain text. */
  readonly tls: TlsMaterial | null;
  readonly limits: HandshakeLimits;
  readonly clock: Clock;
  /** Accepts a connection that uses HTTP/2 and, with TLS, has a certificate of the authority. */
  readonly accept: (socket: Socket) => void;
  /** @param reason a word for a metric; @param sentence for the log */
  readonly onRefused: (
    reason: string,
    sentence: string,
    connection: Pick<Connection, 'address' | 'name'>,
  ) => void;
}

/**
 * The port in front of gRPC. Limits the resources of peers, and closes connections that do not belong to workers or
 * take too long. gRPC's own listener would keep a silent connection forever.
 */
export class WorkerListener {
  private readonly listener: Server;
  private readonly tls: TlsServer | null;
  private readonly connections = new Map<string, Connection>();

  constructor(private readonly options: ListenerOptions) {
    this.tls = options.tls ? this.openTls(options.tls) : null;
    this.listener = createServer((socket) => this.arrive(socket));
    // Above this, the system's own queue fills and new connections are closed immediately.
    this.listener.maxConnections = options.limits.mostConnections;
    this.listener.on('drop', (dropped) => {
      const address = dropped?.remoteAddress ?? 'unknown';
      const most = options.limits.mostConnections;
      options.onRefused('too_many_connections', `${most} connections are already open`, {
        address,
        name: null,
      });
    });
  }

  /**
   * @returns the port, when 0 was asked for
   * @throws TransportError TRANSPORT_PORT_IN_USE or TRANSPORT_CANNOT_LISTEN
   */
  listen(host: string, port: number): Promise<number> {
    const { listener } = this;
    return new Promise((resolve, reject) => {
      listener.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(host, port, error)));
      listener.listen({ host, port }, () => {
        listener.removeAllListeners('error');
        // A failed accept (for example too many open files) concerns that connection only, not the run.
        listener.on('error', () => {});
        resolve((listener.address() as { port: number }).port);
      });
    });
  }

  /** The open connection of a peer (`ADDRESS:PORT`). */
  connection(peer: string): Connection | undefined {
    return this.connections.get(peer);
  }

  /** The hello was valid: allow time to load the engine. */
  helloAccepted(connection: Connection): void {
    connection.state = 'preparing';
    const { readyMs } = this.options.limits;
    this.expire(connection, readyMs, 'not_ready', `it was not ready ${readyMs / 1000} s after its hello`);
  }

  joined(connection: Connection): void {
    connection.state = 'joined';
    connection.cancelDeadline();
  }

  /** Counts a refusal and closes the connection. A connection with a stream gets time to read the reason first. */
  refuse(connection: Connection, reason: string, sentence: string): void {
    if (connection.state === 'closing') return;
    this.options.onRefused(reason, sentence, connection);
    this.closeConnection(connection, connection.streaming ? this.options.limits.lingerMs : 0);
  }

  /** Closes a connection whose worker is no longer a member. */
  closeConnection(connection: Connection, lingerMs = this.options.limits.lingerMs): void {
    const { clock } = this.options;
    connection.state = 'closing';
    connection.cancelDeadline();
    if (lingerMs === 0) connection.socket.destroy();
    else connection.cancelDeadline = clock.after(lingerMs, () => connection.socket.destroy());
  }

  /** Accepts no more connections. gRPC closes the open ones. */
  close(): void {
    this.listener.close();
    for (const connection of this.connections.values()) {
      connection.cancelDeadline();
      if (connection.state === 'handshaking') connection.socket.destroy();
    }
  }

  private arrive(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    const peer = `${address}:${socket.remotePort}`;
    const { helloMs, mostHandshakes, mostHandshakesPerAddress } = this.options.limits;
    const connection: Connection = {
      address,
      // An IPv4 address comes in IPv6 form from a socket for both.
      localAddress: (socket.localAddress ?? '').replace(/^::ffff:/, ''),
      socket,
      certificateExpiryMs: null,
      certificateSha256: Buffer.alloc(0),
      name: null,
      state: 'handshaking',
      progress: 'none',
      streaming: false,
      cancelDeadline: () => {},
    };
    // 'close' handles every failure.
    socket.on('error', () => {});
    const handshaking = [...this.connections.values()].filter(({ state }) => state === 'handshaking');
    if (handshaking.length >= mostHandshakes) {
      this.refuse(connection, 'too_many_handshakes', `${mostHandshakes} connections are already joining`);
      return;
    }
    if (handshaking.filter((each) => each.address === address).length >= mostHandshakesPerAddress) {
      const many = `${mostHandshakesPerAddress} connections of this address are already joining`;
      this.refuse(connection, 'too_many_handshakes', many);
      return;
    }
    this.connections.set(peer, connection);
    socket.once('close', () => {
      if (connection.state === 'handshaking' && hasSentData(connection)) {
        if (connection.progress === 'certificate')
          this.refuse(connection, 'untrusted_certificate', untrusted);
        else this.refuse(connection, 'closed_early', 'it closed before its hello');
      }
      connection.cancelDeadline();
      this.connections.delete(peer);
    });
    this.expire(connection, helloMs, 'no_hello', `no valid hello came within ${helloMs / 1000} s`);
    if (this.tls) this.tls.emit('connection', socket);
    else this.awaitPreface(socket, connection);
  }

  /** Time in which this process was too busy to read does not count. */
  private expire(connection: Connection, ms: number, reason: string, sentence: string): void {
    connection.cancelDeadline();
    const { clock } = this.options;
    const dueMs = clock.nowMs() + ms;
    connection.cancelDeadline = clock.after(ms, () => {
      if (clock.nowMs() - dueMs > ms / 2) this.expire(connection, ms, reason, sentence);
      // Read the data that has already arrived before refusing.
      else setImmediate(() => connection.state === 'joined' || this.refuse(connection, reason, sentence));
    });
  }

  private openTls(material: TlsMaterial): TlsServer {
    const server = createTlsServer({
      cert: material.certificate,
      key: material.key,
      ca: material.authority,
      requestCert: true,
      // `authorized` is checked below, where a refusal can be counted. No unauthorised connection gets past that check.
      rejectUnauthorized: false,
      minVersion: oldestTls,
      ALPNProtocols: ['h2'],
      handshakeTimeout: this.options.limits.helloMs,
    });
    // In TLS 1.3 the key log event is the only sign that this side's certificate was sent. The keys themselves are not
    // read.
    server.on('keylog', (_, socket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection?.progress === 'none') connection.progress = 'certificate';
    });
    server.on('secureConnection', (socket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection?.state !== 'handshaking') socket.destroy();
      else if (!socket.authorized) {
        const reason = certificateFault(socket);
        this.refuse(connection, reason, `its certificate was not accepted: ${socket.authorizationError}`);
      } else {
        const { validTo, raw } = socket.getPeerX509Certificate()!;
        connection.certificateExpiryMs = Date.parse(validTo);
        connection.certificateSha256 = createHash('sha256').update(raw).digest();
        this.awaitPreface(socket, connection);
      }
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection && hasSentData(connection))
        this.refuse(connection, 'tls_failed', `TLS failed: ${error.code ?? error.message}`);
      socket.destroy();
    });
    return server;
  }

  private awaitPreface(socket: Socket, connection: Connection): void {
    socket.on('error', () => {});
    let seen = Buffer.alloc(0);
    const look = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      connection.progress = 'bytes';
      seen = Buffer.concat([seen, bytes]);
      const known = Math.min(seen.byteLength, http2Preface.byteLength);
      if (!seen.subarray(0, known).equals(http2Preface.subarray(0, known))) {
        socket.off('readable', look);
        this.refuse(connection, 'not_http2', 'its first bytes are not those of HTTP/2');
      } else if (known === http2Preface.byteLength) {
        socket.off('readable', look);
        socket.unshift(seen);
        this.options.accept(socket);
      }
    };
    socket.on('readable', look);
  }
}

/** Ignore connections closed without data: port probes, and workers that test the port before they connect. */
function hasSentData({ socket }: Connection): boolean {
  return socket.bytesRead > 0;
}

/** `ADDRESS:PORT`, as gRPC names a stream's peer. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function certificateFault(socket: TLSSocket): string {
  if (socket.getPeerX509Certificate() === undefined) return 'no_certificate';
  const expired = /EXPIRED|NOT_YET_VALID/.test(String(socket.authorizationError));
  return expired ? 'expired_certificate' : 'untrusted_certificate';
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): TransportError {
  return cause.code === 'EADDRINUSE'
    ? new TransportError(
        'TRANSPORT_PORT_IN_USE',
        `port ${port} on ${host} is in use; choose another with --set spec.operation.listen=HOST:PORT (port 0 takes any free one)`,
        { cause },
      )
    : new TransportError('TRANSPORT_CANNOT_LISTEN', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
      });
}
