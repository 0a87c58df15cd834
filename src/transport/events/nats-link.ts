import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  Events,
  type JetStreamManager,
  type NatsConnection,
  type TlsOptions,
} from 'nats';
import type { Log } from '../../console/log.js';
import { readInputFile, whyUnread } from '../../disk/input-file.js';
import { parseAddress } from '../../run/address.js';
import type { NatsSettings } from '../../run/training-run.js';
import { type CertificateExpiry, earliestExpiry } from '../certificate-expiry.js';
import { TransportError } from '../error.js';
import { certificatesIn } from '../tls-files.js';
import { describeConnectFailure, describeNatsError } from './nats-error.js';
import { natsTimeoutMs } from './nats-names.js';

const largestFileBytes = 1 << 20;
const retryMs = 250;
/** Longest interval between two attempts to reach a server that was never reached. */
const longestRetryMs = 10_000;

/**
 * Connection options for the configured server. @throws TransportError TRANSPORT_NATS_SETTINGS for an unreadable file
 */
export function natsOptions(settings: NatsSettings, name: string): ConnectionOptions {
  const { url, credentials, tls } = settings;
  const read = (path: string | null) => (path === null ? undefined : readSetting(path));
  const creds = read(credentials);
  const [ca, cert, key] = [read(tls.ca), read(tls.cert), read(tls.key)];
  const server = url!.replace(/^\w+:\/\//, '');
  // The certificate is checked against the server's address. The client by default expects `localhost`.
  const { host } = parseAddress(server)!;
  const secure: TlsOptions & { host: string } = {
    host,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
  const isTls = url?.startsWith('tls://') || ca !== undefined || cert !== undefined;
  return {
    servers: server,
    name,
    timeout: natsTimeoutMs,
    pingInterval: 5_000,
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(Buffer.from(creds)) }),
    ...(isTls ? { tls: secure } : {}),
  };
}

function expiryOf(path: string, pem: string): CertificateExpiry {
  // Only the first certificate is this process's own. The others are issuers.
  const [own] = certificatesIn(path, Buffer.from(pem));
  return earliestExpiry([[path, own!]]);
}

function readSetting(path: string): string {
  try {
    return readInputFile(path, largestFileBytes).toString('utf8');
  } catch (cause) {
    throw new TransportError(
      'TRANSPORT_NATS_SETTINGS',
      `${path}, named in spec.operation.nats, ${whyUnread(cause)}; expected a PEM or .creds file`,
      { cause },
    );
  }
}

/**
 * A connection to a NATS server that may be unreachable at times. It connects again until it is closed. Only callers
 * that ask for the connection wait for it.
 */
export class NatsLink {
  private connection: NatsConnection | null = null;
  private closed = false;
  private waiting: (() => void)[] = [];
  /** The last reported failure, by the purpose of the request. */
  private readonly said = new Map<string, string>();
  private readonly listeners: ((connection: NatsConnection) => void)[] = [];
  connected = false;
  /** When this process's certificate expires; null without a certificate. */
  readonly certificateExpiry: CertificateExpiry | null;

  /** Starts to connect. Throws the errors of `natsOptions` and `certificatesIn`. */
  constructor(
    settings: NatsSettings,
    name: string,
    private readonly log: Log,
  ) {
    const { cert } = settings.tls;
    this.certificateExpiry = cert === null ? null : expiryOf(cert, readSetting(cert));
    const options = { ...natsOptions(settings, name), maxReconnectAttempts: -1, reconnectTimeWait: retryMs };
    void this.keepConnecting({ ...options, ignoreAuthErrorAbort: true });
  }

  /** Waits for a connection up to a time limit; null when there is none. */
  async get(withinMs: number): Promise<NatsConnection | null> {
    const deadline = performance.now() + withinMs;
    while (!this.connected && !this.closed) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return null;
      await this.change(leftMs);
    }
    return this.closed ? null : this.connection;
  }

  /** Calls the listener with the connection once it exists. It is the same object for the link's whole life. */
  onFirstConnection(listener: (connection: NatsConnection) => void): void {
    if (this.connection !== null) listener(this.connection);
    else this.listeners.push(listener);
  }

  jetStreamManager(connection: NatsConnection): Promise<JetStreamManager> {
    return connection.jetstreamManager({ timeout: natsTimeoutMs, checkAPI: false });
  }

  /**
   * Logs why a request failed and how to fix it. Repeats it only when the reason changes or a request has succeeded
   * since.
   * @param what the purpose of the request
   */
  failed(what: string, error: unknown): void {
    const { reason, remedy } = describeNatsError(error, this.connection?.info);
    if (this.closed || this.said.get(what) === reason) return;
    this.said.set(what, reason);
    const fields = { what, reason, ...(remedy === null ? {} : { remedy }) };
    this.log.warn('NATS request failed; retrying at increasing intervals', fields);
  }

  /** Logs that requests succeed again, if a failure was logged. */
  succeeded(what: string): void {
    if (this.said.delete(what) && !this.closed) this.log.info('NATS requests succeed again', { what });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wake();
    await this.connection?.close();
  }

  private async keepConnecting(options: ConnectionOptions): Promise<void> {
    let told = '';
    let waitMs = retryMs;
    while (!this.closed && this.connection === null) {
      try {
        const connection = await connect(options);
        if (this.closed) return await connection.close();
        this.connection = connection;
      } catch (error) {
        const reason = describeConnectFailure(error, String(options.servers), natsTimeoutMs);
        if (reason !== told) this.log.warn('NATS server is unreachable; retrying', { reason });
        told = reason;
        await this.change(waitMs);
        waitMs = Math.min(2 * waitMs, longestRetryMs);
      }
    }
    if (this.connection === null) return;
    this.set(true);
    for (const listener of this.listeners) listener(this.connection);
    for await (const { type } of this.connection.status()) {
      if (type === Events.Disconnect) this.set(false);
      if (type === Events.Reconnect) this.set(true);
    }
    this.set(false);
  }

  private set(connected: boolean): void {
    if (this.connected !== connected && !this.closed) {
      if (connected) this.log.info('NATS connected', { server: this.connection!.getServer() });
      else this.log.warn('NATS connection lost; events are kept until it is back');
    }
    this.connected = connected;
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Waits for a change of the connection, or for `close`, up to a time limit. */
  change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
