import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../../run/address.js';

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
  ): Promise<BoundedServer> {
    const server = createServer(
      { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 30_000 },
      (request, response) => {
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
