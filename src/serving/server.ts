import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Log } from '../console/log.js';
import { quote } from '../errors.js';
import { protectedPage } from '../live/serve/reply.js';
import { type Address, formatAddress } from '../run/address.js';
import { oldestTls } from '../transport/credentials.js';
import { ServingError } from './error.js';
import { requireOwnOrigin, requireToken } from './guard.js';
import type { ServingLimits } from './limits.js';
import type { ServingMetrics } from './metrics.js';
import { openApiDocument } from './openapi.js';
import { pageCss, pageHtml, pageScript } from './page.js';
import type { Places } from './places.js';
import { readBody } from './read-body.js';
import { Refusal } from './refusal.js';
import { type SearchService, topOf } from './search-service.js';

export interface SearchServerOptions {
  readonly service: SearchService;
  readonly metrics: ServingMetrics;
  /** Of searches. */
  readonly places: Places;
  /** Of small pictures. */
  readonly thumbnailPlaces: Places;
  readonly limits: ServingLimits;
  readonly bits: number;
  /** Null asks for none. */
  readonly token: string | null;
  readonly tls: { readonly certificate: Buffer; readonly key: Buffer } | null;
  /** Whether pictures can be encoded now. */
  readonly isReady: () => boolean;
  readonly log: Log;
}

/** An answer: its type, and its content. */
interface Answer {
  readonly type: string;
  readonly body: string | Buffer;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const text = 'text/plain; charset=utf-8';
/** Time in which a client may read a refusal while it still sends. */
const lingerMs = 1000;
const mostConnections = 256;

/** The page shows the picture that it sends, and those that it gets. */
const commonHeaders = protectedPage("'self' blob: data:");

/** Answers searches over HTTP; see docs/codes.md. */
export class SearchServer {
  private constructor(
    private readonly server: Server,
    /** `http://127.0.0.1:8080` */
    readonly url: string,
  ) {}

  /** @throws ServingError SERVING_CANNOT_LISTEN */
  static async listen({ host, port }: Address, options: SearchServerOptions): Promise<SearchServer> {
    const { limits, tls } = options;
    const settings = {
      maxHeaderSize: 16_384,
      headersTimeout: Math.min(10_000, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: 30_000,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
    };
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      void respond(request, response, options);
    };
    const server =
      tls === null
        ? createPlainServer(settings, handle)
        : createTlsServer(
            {
              ...settings,
              cert: tls.certificate,
              key: tls.key,
              minVersion: oldestTls,
              handshakeTimeout: 10_000,
            },
            handle,
          );
    server.maxConnections = mostConnections;
    // A client that neither reads nor writes.
    server.setTimeout(limits.requestMs + limits.encodeMs);
    server.on('checkContinue', handle);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') options.metrics.refuse('slow');
      if (!socket.writable) return;
      const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
      // A client that does not close would keep its place.
      const end = () => socket.destroy();
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, end);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new ServingError(
            'SERVING_CANNOT_LISTEN',
            `the server cannot listen on ${formatAddress(host, port)} (${cause.code ?? cause.message}); choose another address with --listen HOST:PORT`,
            { cause },
          ),
        ),
      );
      server.listen(port, host, resolve);
    });
    const bound = formatAddress(host, (server.address() as AddressInfo).port);
    return new SearchServer(server, `${tls === null ? 'http' : 'https'}://${bound}`);
  }

  /** Stops listening, and waits for requests that are being answered, at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const force = setTimeout(() => this.server.closeAllConnections(), graceMs);
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
    });
    clearTimeout(force);
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: SearchServerOptions,
): Promise<void> {
  const { metrics, log } = options;
  // A request loses its socket when the client goes.
  const { socket } = request;
  const startedMs = performance.now();
  const route = routeOf(request);
  let answer: Answer;
  try {
    answer = await answerOf(route, request, response, options);
  } catch (error) {
    answer = faultOf(error, options);
    if (!(error instanceof Refusal)) {
      log.error('a request failed', {
        route: route.name,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  const { status = 200, type, body, headers = {} } = answer;
  metrics.answered(route.name, status, (performance.now() - startedMs) / 1000);
  if (response.destroyed) return;
  const isUnread = !request.complete && status >= 400;
  response.writeHead(status, {
    ...commonHeaders,
    'cache-control': 'no-store',
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...headers,
    ...(isUnread && { connection: 'close' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  if (isUnread) {
    // The rest of the request is not kept. The client may read its answer, then the connection ends.
    request.resume();
    setTimeout(() => socket.destroy(), lingerMs).unref();
  }
}

interface Route {
  readonly name: string;
  /** The part of the path behind the route's name. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

/** Routes with their methods. A metric has a label for each, and one for all others. */
const methods: Readonly<Record<string, readonly string[]>> = {
  '/': ['GET', 'HEAD'],
  '/page.css': ['GET', 'HEAD'],
  '/page.js': ['GET', 'HEAD'],
  '/openapi.json': ['GET', 'HEAD'],
  '/healthz': ['GET', 'HEAD'],
  '/readyz': ['GET', 'HEAD'],
  '/metrics': ['GET', 'HEAD'],
  '/v1/search': ['POST'],
  '/v1/pictures/': ['GET', 'HEAD'],
};

function routeOf({ url = '/' }: IncomingMessage): Route {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at));
  const [, folder, rest] = /^(\/v1\/pictures\/)(.*)$/.exec(path) ?? [];
  if (folder !== undefined) return { name: folder, rest: rest!, query };
  return { name: Object.hasOwn(methods, path) ? path : 'other', rest: path, query };
}

async function answerOf(
  { name, rest, query }: Route,
  request: IncomingMessage,
  response: ServerResponse,
  options: SearchServerOptions,
): Promise<Answer> {
  const { service, metrics, places, thumbnailPlaces, limits, token, bits, isReady } = options;
  requireOwnOrigin(request, token);
  const allowed = methods[name];
  if (allowed === undefined)
    throw new Refusal(404, 'unknown', `there is no ${quote(rest)}; /openapi.json lists what there is`);
  if (!allowed.includes(request.method!)) {
    const allow = allowed.join(', ');
    throw new Refusal(405, 'method', `${request.method} is not answered here, expected ${allow}`, { allow });
  }
  const client = request.socket.remoteAddress ?? '';
  switch (name) {
    case '/v1/search': {
      requireToken(request, token);
      const top = topOf(query);
      return places.within(client, async () => {
        const body = await readBody(request, response, limits.uploadBytes);
        const isJson = /^application\/json\b/i.test(request.headers['content-type'] ?? '');
        const found = isJson ? service.searchCode(body.toString('utf8')) : service.searchPicture(body, top);
        return json(await found);
      });
    }
    case '/v1/pictures/': {
      requireToken(request, token);
      const body = await thumbnailPlaces.within(client, () => service.thumbnailOf(rest));
      return { type: 'image/jpeg', body, headers: { 'cache-control': 'private, max-age=3600' } };
    }
    case '/openapi.json':
      return json(openApiDocument(limits, bits, token !== null));
    case '/healthz':
      return { type: text, body: 'ok\n' };
    case '/readyz':
      return isReady()
        ? { type: text, body: 'ready\n' }
        : { type: text, body: 'no process can encode pictures now\n', status: 503 };
    case '/metrics':
      return { type: metrics.registry.contentType, body: await metrics.registry.metrics() };
    case '/page.css':
      return { type: 'text/css; charset=utf-8', body: pageCss };
    case '/page.js':
      return { type: 'text/javascript; charset=utf-8', body: pageScript };
    default:
      return { type: 'text/html; charset=utf-8', body: pageHtml };
  }
}

function json(value: object, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return { type: 'application/json', body: `${JSON.stringify(value)}\n`, status, headers };
}

/** The answer to a failure. The client learns nothing of one that is not a refusal. */
function faultOf(error: unknown, { metrics }: SearchServerOptions): Answer {
  if (!(error instanceof Refusal)) return json({ reason: 'internal', message: 'the server failed' }, 500);
  const { status, reason, message, headers } = error;
  metrics.refuse(reason);
  return json({ reason, message }, status, headers);
}
