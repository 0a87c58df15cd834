import { version } from '../run/version.js';
import { mostNearest } from '../search/searcher.js';
import type { ServingLimits } from './limits.js';

/** The OpenAPI 3.1 document of the server. */
export function openApiDocument(
  { uploadBytes, pixels }: ServingLimits,
  bits: number,
  hasToken: boolean,
): object {
  const fault = (description: string) => ({
    description,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Fault' } } },
  });
  const picture = { schema: { type: 'string', contentEncoding: 'binary' } };
  const digits = 2 * Math.ceil(bits / 8);
  const top = { type: 'integer', minimum: 1, maximum: mostNearest, default: 10 };
  const code = {
    type: 'string',
    pattern: `^[0-9a-fA-F]{${digits}}$`,
    description: `${bits} bits, bit k is bit k mod 8 of byte k / 8`,
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'fcaenet serve',
      version,
      description: `Codes of ${bits} bits, and the pictures whose codes are nearest.`,
    },
    ...(hasToken && { security: [{ token: [] }] }),
    paths: {
      '/v1/search': {
        post: {
          operationId: 'search',
          summary: 'The code of a picture and the nearest pictures of the database',
          parameters: [{ name: 'top', in: 'query', schema: top, description: 'Only for pictures.' }],
          requestBody: {
            required: true,
            description: `A JPEG, PNG, WebP, GIF, TIFF or AVIF of at most ${uploadBytes} bytes and ${pixels} pixels, or a code.`,
            content: {
              'image/*': picture,
              'application/octet-stream': picture,
              'application/json': {
                schema: {
                  type: 'object',
                  required: ['code'],
                  additionalProperties: false,
                  properties: { code, top },
                },
              },
            },
          },
          responses: {
            200: {
              description: 'By distance, ties by row.',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Answer' } } },
            },
            400: fault('A parameter, the JSON or the code is wrong.'),
            401: fault('The token is missing or wrong.'),
            403: fault('A page of another origin.'),
            413: fault('Too many bytes, or too many pixels.'),
            415: fault('Not a picture, or a body with a Content-Encoding.'),
            429: fault('Too many requests of this address at once; see Retry-After.'),
            503: fault('Too many requests wait; see Retry-After.'),
          },
        },
      },
      '/v1/pictures/{row}': {
        get: {
          operationId: 'thumbnail',
          summary: 'A small JPEG of a picture of the database',
          parameters: [{ name: 'row', in: 'path', required: true, schema: { type: 'integer', minimum: 0 } }],
          responses: {
            200: { description: 'The picture.', content: { 'image/jpeg': picture } },
            404: fault('There is no such row, or its picture cannot be read.'),
          },
        },
      },
      ...Object.fromEntries(
        [
          ['/healthz', 'Whether the process answers'],
          ['/readyz', 'Whether pictures can be encoded'],
          ['/metrics', 'Metrics for Prometheus'],
        ].map(([path, summary]) => [
          path,
          { get: { summary, security: [], responses: { 200: { description: 'Yes, as text.' } } } },
        ]),
      ),
    },
    components: {
      ...(hasToken && { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }),
      schemas: {
        Fault: {
          type: 'object',
          required: ['reason', 'message'],
          properties: { reason: { type: 'string' }, message: { type: 'string' } },
        },
        Answer: {
          type: 'object',
          required: ['code', 'bits', 'checkpoint', 'nearest'],
          properties: {
            code,
            bits: { type: 'integer' },
            checkpoint: { type: 'string' },
            nearest: {
              type: 'array',
              items: {
                type: 'object',
                required: ['row', 'distance', 'path', 'class', 'thumbnail'],
                properties: {
                  row: { type: 'integer', description: 'Row among the codes of the database.' },
                  distance: { type: 'integer', description: 'Bits that differ.' },
                  path: { type: 'string' },
                  class: { type: ['string', 'null'] },
                  thumbnail: { type: ['string', 'null'], description: 'Path on this server.' },
                },
              },
            },
          },
        },
      },
    },
  };
}
