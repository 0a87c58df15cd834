import sharp, { type OverlayOptions } from 'sharp';
import { diskWatch } from '../disk/watch.js';
import { DatasetError } from './error.js';
import { thumbnail } from './thumbnail.js';

/** A query and what was found for it, as files of pictures. */
export interface GalleryRow {
  readonly query: string;
  /** The nearest first. */
  readonly found: readonly { readonly file: string; readonly isRight: boolean }[];
}

/** Pixels of a picture's square, of the space between squares, and of a frame. */
const side = 96;
const gap = 8;
const frame = 4;
/** Of what the query is set apart from its row by. */
const queryGap = 24;
const colours = { paper: '#ffffff', missing: '#d0d7de', right: '#1a7f37', wrong: '#cf222e' } as const;

export interface GalleryPicture {
  readonly width: number;
  readonly height: number;
  readonly jpeg: Buffer;
  /** Pictures whose file could not be read or decoded; their squares are grey. */
  readonly missing: number;
}

/**
 * Draws rows of pictures: a query at the left, then what was found for it. A solid green frame means right. A dashed red
 * frame with a cross means wrong. There is no text, so it needs no fonts.
 */
export async function drawGallery(rows: readonly GalleryRow[]): Promise<GalleryPicture> {
  const columns = Math.max(0, ...rows.map(({ found }) => found.length));
  const left = (column: number) => (column === 0 ? gap : gap + side + queryGap + (column - 1) * (side + gap));
  const top = (row: number) => gap + row * (side + gap);
  const width = left(columns) + side + gap;
  const height = top(rows.length);
  const squares: OverlayOptions[] = [];
  const frames: string[] = [];
  let missing = 0;
  const place = async (file: string, at: { readonly left: number; readonly top: number }) => {
    const input = await square(file);
    if (input !== null) {
      squares.push({ input, ...at });
      return;
    }
    missing++;
    frames.push(rectangle(at, `fill="${colours.missing}"`));
  };
  for (const [row, { query, found }] of rows.entries()) {
    await place(query, { left: left(0), top: top(row) });
    for (const [index, { file, isRight }] of found.entries()) {
      const at = { left: left(index + 1), top: top(row) };
      await place(file, at);
      frames.push(isRight ? rightFrame(at) : wrongFrame(at));
    }
  }
  const drawn = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${frames.join('')}</svg>`;
  const drawing = sharp({ create: { width, height, channels: 3, background: colours.paper } })
    .composite([...squares, { input: Buffer.from(drawn), left: 0, top: 0 }])
    .jpeg({ quality: 85 })
    .toBuffer();
  return { width, height, missing, jpeg: await diskWatch.until('encode', 'a gallery in memory', drawing) };
}

interface Place {
  readonly left: number;
  readonly top: number;
}

function rectangle({ left, top }: Place, attributes: string): string {
  return `<rect x="${left}" y="${top}" width="${side}" height="${side}" ${attributes}/>`;
}

function rightFrame(at: Place): string {
  return rectangle(at, `fill="none" stroke="${colours.right}" stroke-width="${frame}"`);
}

function wrongFrame(at: Place): string {
  const [x, y] = [at.left + side - 18, at.top + 6];
  const cross = `<path d="M${x} ${y}l12 12m0 -12l-12 12" fill="none" stroke="${colours.wrong}" stroke-width="${frame}"/>`;
  const paper = `<rect x="${x - 4}" y="${y - 4}" width="20" height="20" fill="${colours.paper}"/>`;
  const edge = rectangle(
    at,
    `fill="none" stroke="${colours.wrong}" stroke-width="${frame}" stroke-dasharray="10 6"`,
  );
  return edge + paper + cross;
}

/** A small copy of a picture in the middle of a square; null when its file cannot be read or decoded. */
async function square(file: string): Promise<Buffer | null> {
  try {
    const small = await thumbnail(file, side);
    const fitted = sharp(small)
      .resize(side, side, { fit: 'contain', background: colours.paper })
      .png({ compressionLevel: 1 })
      .toBuffer();
    return await diskWatch.until('decode', file, fitted);
  } catch (error) {
    if (error instanceof DatasetError) return null;
    throw error;
  }
}
