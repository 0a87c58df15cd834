import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { BoundedServer } from '../../live/serve/bounded-server.js';
import type { RunPage } from '../../live/serve/run-page.js';
import { formatAddress, parseAddress } from '../../run/address.js';
import { TransportError } from '../../transport/error.js';

/** The preferred port of `auto`. */
const usualAddress = '127.0.0.1:9464';

export interface MonitorOptions {
  /** HOST:PORT or `auto`. `auto` is 127.0.0.1:9464, or a free port when that one is in use. */
  readonly address: string;
  readonly registry: Registry;
  /** Why the run cannot continue now; null when it can. */
  readonly notReady: () => string | null;
  readonly page: RunPage;
}

/**
 * Serves the page of the run, `/metrics` (Prometheus), `/healthz` (the process answers) and `/readyz` (the run can
 * continue).
 */
export class MonitorServer {
  private constructor(
    private readonly server: BoundedServer,
    private readonly page: RunPage,
  ) {}

  /**
   * @throws TransportError TRANSPORT_PORT_IN_USE, TRANSPORT_CANNOT_LISTEN
   */
  static async start(options: MonitorOptions): Promise<MonitorServer> {
    if (options.address !== 'auto') {
      return await MonitorServer.listen(options.address, options);
    }
    try {
      return await MonitorServer.listen(usualAddress, options);
    } catch (error) {
      if (error instanceof TransportError && error.code === 'TRANSPORT_PORT_IN_USE') {
        return await MonitorServer.listen('127.0.0.1:0', options);
      }
      throw error;
    }
  }

  /** HOST:PORT actually bound. */
  get address(): string {
    return this.server.address;
  }

  /** Tells open pages the last state, stops listening and closes open connections. */
  async close(): Promise<void> {
    await this.page.close();
    await this.server.close();
  }

  private static async listen(address: string, options: MonitorOptions): Promise<MonitorServer> {
    // The run file's schema has checked the form.
    const { host, port } = parseAddress(address)!;
    try {
      const server = await BoundedServer.listen({ host, port }, (request, response) =>
        answer(request, response, options),
      );
      // A scraper's open connection must not keep a finished run alive.
      server.unref();
      return new MonitorServer(server, options.page);
    } catch (error) {
      throw listenError(error as NodeJS.ErrnoException, host, port);
    }
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { registry, notReady, page }: MonitorOptions,
): Promise<void> {
  const send = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  const path = (request.url ?? '/').split('?')[0]!;
  if (await page.answer(path, request, response)) return;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(405, 'only GET and HEAD are answered\n');
    return;
  }
  if (path === '/metrics') {
    send(200, await registry.metrics(), registry.contentType);
  } else if (path === '/healthz') {
    send(200, 'ok\n');
  } else if (path === '/readyz') {
    const reason = notReady();
    send(reason === null ? 200 : 503, `${reason ?? 'ready'}\n`);
  } else {
    send(404, 'there are /, /api/runs, /metrics, /healthz and /readyz\n');
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): TransportError {
  return error.code === 'EADDRINUSE'
    ? new TransportError(
        'TRANSPORT_PORT_IN_USE',
        `port ${port} on ${host} is in use; choose another with --set spec.operation.metrics=HOST:PORT (auto takes a free one)`,
        { cause: error },
      )
    : new TransportError(
        'TRANSPORT_CANNOT_LISTEN',
        `metrics cannot be served on ${formatAddress(host, port)} (${error.code ?? error.message})`,
        { cause: error },
      );
}
