import type { IncomingMessage, ServerResponse } from 'node:http';
import { quote } from '../errors.js';
import { Refusal } from './refusal.js';

/**
 * Reads a request's body. One that announces too many bytes is refused before it is sent.
 * @throws Refusal 415 when it is compressed, 413 when it has more than `mostBytes`, 400 when it is empty or ends early
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  mostBytes: number,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new Refusal(
      415,
      'content_encoding',
      `the body has the content encoding ${quote(encoding)}, expected it as it is, without a Content-Encoding`,
    );
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  const tooLarge = (bytes: string) =>
    new Refusal(413, 'too_large', `the body has ${bytes} bytes, at most ${mostBytes} are accepted`);
  if (announced > mostBytes) throw tooLarge(String(announced));
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  const parts: Buffer[] = [];
  let total = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      total += part.length;
      if (total > mostBytes) break;
      parts.push(part);
    }
  } catch {
    throw new Refusal(400, 'bad_request', `the body ended after ${total} bytes, expected all of it`);
  }
  if (total > mostBytes) throw tooLarge(`more than ${mostBytes}`);
  if (total === 0)
    throw new Refusal(400, 'bad_request', 'the body is empty, expected a picture, or JSON with a code');
  return Buffer.concat(parts);
}
