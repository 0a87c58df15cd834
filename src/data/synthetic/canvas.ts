import type { Channels, Colour } from './colour.js';
import type { Draws } from './draws.js';

/** Side of a scene in its own units; a picture of any size shows the whole of it. */
export const sceneSide = 4096;

/** A painter returns this for a point that it does not paint. */
export const clear = -1;

/** Samples per pixel and axis. */
const samplesPerSide = 2;

/** The colours at the sample points of a picture. Later paint covers earlier paint. */
export class SampleGrid {
  readonly samples: number;
  /** [samples, samples], `clear` where nothing is painted */
  readonly colours: Int32Array;

  /** @param size side of the picture in pixels */
  constructor(readonly size: number) {
    this.samples = size * samplesPerSide;
    this.colours = new Int32Array(this.samples * this.samples).fill(clear);
  }

  /** Calls the painter for every sample point of a rectangle of the scene. */
  paint(
    left: number,
    top: number,
    right: number,
    bottom: number,
    colourAt: (x: number, y: number) => Colour | typeof clear,
  ): void {
    const first = (low: number) => Math.max(0, Math.floor((low * this.samples) / sceneSide) - 1);
    const last = (high: number) =>
      Math.min(this.samples - 1, Math.floor((high * this.samples) / sceneSide) + 1);
    for (let row = first(top); row <= last(bottom); row += 1) {
      const y = this.coordinate(row);
      for (let column = first(left); column <= last(right); column += 1) {
        const colour = colourAt(this.coordinate(column), y);
        if (colour !== clear) this.colours[row * this.samples + column] = colour;
      }
    }
  }

  private coordinate(sample: number): number {
    return Math.floor(((2 * sample + 1) * sceneSide) / (2 * this.samples));
  }
}

/**
 * Turns samples into pixels: the mean of each pixel's samples over a backdrop that blends four corner colours, with a
 * random brightness and tint, and film grain.
 * @param backdrop colours of the corners: top left, top right, bottom left, bottom right
 * @returns uint8 pixels, [size, size, 3]
 */
export function exposePixels(grid: SampleGrid, backdrop: readonly Channels[], draws: Draws): Uint8Array {
  const { size, samples, colours } = grid;
  const brightness = draws.between(220, 280);
  const gains = [0, 1, 2].map(() => brightness + draws.between(-12, 12));
  const pixels = new Uint8Array(size * size * 3);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const grain = draws.word();
      const corner = row * samplesPerSide * samples + column * samplesPerSide;
      for (let channel = 0; channel < 3; channel += 1) {
        const behind = blend(backdrop, channel, 2 * column + 1, 2 * row + 1, 2 * size);
        let sum = 0;
        for (let sample = 0; sample < samplesPerSide * samplesPerSide; sample += 1) {
          const place = corner + (sample >> 1) * samples + (sample & 1);
          const colour = colours[place]!;
          sum += colour === clear ? behind : (colour >> (16 - 8 * channel)) & 255;
        }
        const lit = Math.floor((sum * gains[channel]!) / (256 * samplesPerSide * samplesPerSide));
        const value = lit + ((grain >>> (8 * channel)) & 15) - 7;
        pixels[(row * size + column) * 3 + channel] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return pixels;
}

/** Blends corner colours at (x, y) of a square with the given side. */
function blend(corners: readonly Channels[], channel: number, x: number, y: number, side: number): number {
  const at = (corner: number) => corners[corner]![channel]!;
  const top = at(0) * (side - x) + at(1) * x;
  const bottom = at(2) * (side - x) + at(3) * x;
  return Math.floor((top * (side - y) + bottom * y) / (side * side));
}
