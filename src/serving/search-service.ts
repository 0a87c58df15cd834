import { z } from 'zod';
import { DatasetError } from '../data/error.js';
import { thumbnail } from '../data/thumbnail.js';
import { type FcaenetError, quote } from '../errors.js';
import { packedCodesOfBytes } from '../formats/code-bytes.js';
import type { Encoder } from '../inference/encoder.js';
import { wrongField } from '../run/wrong-field.js';
import { type Found, hexOfCode, mostNearest, type Searcher } from '../search/searcher.js';
import type { ServingMetrics } from './metrics.js';
import { Refusal } from './refusal.js';

const thumbnailSide = 240;
const usualTop = 10;

/** What a search answers. */
export interface SearchAnswer {
  /** Of the picture, in hexadecimal digits of its bytes. */
  readonly code: string;
  readonly bits: number;
  readonly checkpoint: string;
  readonly nearest: readonly (Found & {
    /** Path of a small picture on this server; null where there is none. */
    readonly thumbnail: string | null;
  })[];
}

/** What the server does, without HTTP. */
export class SearchService {
  constructor(
    private readonly encoder: Encoder,
    private readonly searcher: Searcher,
    private readonly checkpoint: string,
    private readonly metrics: ServingMetrics,
  ) {}

  /**
   * The code of a picture, and the nearest pictures.
   * @throws Refusal 413 for too many pixels, 415 for what is no picture, 503 when the encoder failed
   */
  async searchPicture(bytes: Buffer, top: number): Promise<SearchAnswer> {
    const picture = { name: 'of the request', bytes };
    const codes = await this.metrics
      .timed('encode', () => this.encoder.encode([picture]))
      .catch((error) => {
        throw refusalOf(error);
      });
    return this.answer(codes, top);
  }

  /** The nearest pictures of a code. @param text JSON: `{"code": "…", "top": 10}` @throws Refusal 400 */
  searchCode(text: string): Promise<SearchAnswer> {
    const { bits } = this.searcher.database;
    const digits = 2 * Math.ceil(bits / 8);
    const sent = parsed(text);
    const request = codeRequest.safeParse(sent);
    if (!request.success) {
      const { field, is } = wrongField(sent, request.error.issues);
      const what = field === '' ? 'the body' : `the field ${quote(field)}`;
      throw new Refusal(400, 'bad_request', `${what} is ${is}, expected {"code": "…", "top": ${usualTop}}`);
    }
    const { code, top } = request.data;
    if (code.length !== digits) {
      throw new Refusal(
        400,
        'bad_request',
        `the code has ${code.length} hexadecimal digits, but codes have ${bits} bits, expected ${digits} digits`,
      );
    }
    return this.answer(packedCodesOfBytes(Buffer.from(code, 'hex'), bits), top);
  }

  /** A small JPEG of a row of the database. @throws Refusal 404 */
  async thumbnailOf(text: string): Promise<Buffer> {
    const { database } = this.searcher;
    const row = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(row < database.size)) {
      throw new Refusal(
        404,
        'unknown',
        `there is no row ${quote(text)}, expected one of 0 to ${database.size - 1}`,
      );
    }
    const { file } = database.picture(row);
    if (file === null)
      throw new Refusal(404, 'unknown', 'this database has no folder of pictures; --data names it');
    return thumbnail(file, thumbnailSide).catch((error) => {
      // A client must not learn the path.
      if (error instanceof DatasetError)
        throw new Refusal(404, 'unknown', `the picture of row ${row} cannot be read`);
      throw error;
    });
  }

  private async answer(codes: Uint32Array, top: number): Promise<SearchAnswer> {
    const { database } = this.searcher;
    const { bits } = database;
    const nearest = await this.metrics.timed('search', () => this.searcher.nearest(codes, 0, top));
    return {
      code: hexOfCode(codes, bits),
      bits,
      checkpoint: this.checkpoint,
      nearest: nearest.map((found) => ({
        ...found,
        thumbnail: database.picture(found.row).file === null ? null : `/v1/pictures/${found.row}`,
      })),
    };
  }
}

const codeRequest = z.strictObject({
  code: z.string().regex(/^[0-9a-fA-F]+$/, 'expected hexadecimal digits'),
  top: z.int().min(1).max(mostNearest).default(usualTop),
});

/** The number of pictures to find, from the query of a URL. @throws Refusal 400 */
export function topOf(query: URLSearchParams): number {
  const unknown = [...query.keys()].find((name) => name !== 'top');
  if (unknown !== undefined) {
    throw new Refusal(400, 'bad_request', `there is no parameter ${quote(unknown)}, expected top`);
  }
  const given = query.getAll('top');
  if (given.length > 1) {
    throw new Refusal(400, 'bad_request', `top is there ${given.length} times, expected it once`);
  }
  const text = given[0] ?? String(usualTop);
  const top = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (top >= 1 && top <= mostNearest) return top;
  throw new Refusal(
    400,
    'bad_request',
    `top is ${quote(text)}, expected a whole number from 1 to ${mostNearest}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'bad_request', `the body is ${quote(text, 40)}, expected JSON`);
  }
}

/** The answer to a picture that cannot be encoded. Errors that are not the picture's are thrown again. */
function refusalOf(error: unknown): unknown {
  const { code, message } = error as FcaenetError;
  if (code === 'DATASET_IMAGE_TOO_LARGE') return new Refusal(413, 'too_many_pixels', message);
  if (code === 'DATASET_IMAGE_DAMAGED') return new Refusal(415, 'not_a_picture', message);
  if (code === 'INFERENCE_PROCESS_ENDED' || code === 'INFERENCE_TIMEOUT') {
    return new Refusal(503, 'encoder', message, { 'retry-after': '1' });
  }
  return error;
}
