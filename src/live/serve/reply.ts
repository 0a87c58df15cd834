import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Headers of every answer. No script, style or connection but the page's own, and nobody may frame it.
 * @param images sources of images of the page
 */
export function protectedPage(images = "'self'"): Record<string, string> {
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src ${images}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
}

// A browser asks each time, and gets 304 when nothing has changed.
const protection = { ...protectedPage(), 'cache-control': 'no-cache' };

/** Sends an answer. To HEAD it sends its headers only. */
export function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer | string = '',
): void {
  response.writeHead(status, { ...protection, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}

/** Sends one sentence. */
export function sendSentence(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  sentence: string,
): void {
  send(request, response, status, { 'content-type': 'text/plain; charset=utf-8' }, `${sentence}\n`);
}

/** An entity tag: equal for equal bytes. */
export function entityTag(body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

/** Sends content that has an entity tag, or 304 to who has it already. */
export function sendTagged(
  request: IncomingMessage,
  response: ServerResponse,
  etag: string,
  headers: OutgoingHttpHeaders,
  body: Buffer,
): void {
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { ...protection, etag });
    response.end();
    return;
  }
  send(request, response, 200, { ...headers, etag }, body);
}

/** The headers with which an event stream begins. */
export function beginEvents(response: ServerResponse): void {
  response.writeHead(200, {
    ...protection,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
}
