import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../../run/address.js';

/** How long a client may take. */
interface Patience {
  /** To send a whole request. */
  readonly requestMs: number;
  /** Without taking any of an answer. */
  readonly unreadMs: number;
}

const usualPatience: Patience = { requestMs: 5000, unreadMs: 30_000 };

/** An HTTP server with bounds on time, headers and connections. */
export class BoundedServer {
  private constructor(
    private readonly server: Server,
    /** HOST:PORT actually bound. */
    readonly address: string,
  ) {}

  /**
   * @param answer of one request; when it fails, the connection ends
   * @param port 0 takes a free one
   * @throws the system's error when the address cannot be listened on
   */
  static async listen(
    { host, port }: Address,
    answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
    { requestMs, unreadMs }: Patience = usualPatience,
  ): Promise<BoundedServer> {
    const server = createServer(
      {
        ...{ maxHeaderSize: 8192, headersTimeout: requestMs, requestTimeout: requestMs },
        keepAliveTimeout: 30_000,
        // Node looks every 30 s if it is not told. Silent connections would keep all others out for that long.
        connectionsCheckingInterval: Math.min(1000, requestMs),
      },
      (request, response) => {
        // A control request may be answered later than this: then nothing is there that is not read.
        response.setTimeout(unreadMs, () => {
          if (response.writableLength > 0) response.destroy();
        });
        // Whoever has closed the connection while the answer was made gets none.
        response.on('error', () => response.destroy());
        answer(request, response).catch(() => response.destroy());
      },
    );
    server.maxConnections = 64;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    const bound = server.address() as AddressInfo;
    return new BoundedServer(server, formatAddress(host, bound.port));
  }

  /** Lets the process end while the server listens. */
  unref(): void {
    this.server.unref();
  }

  /** Stops listening and closes open connections. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }
}
