import type { Augmentation } from '../run/training-run.js';
import type { KeyedRandom, Purpose } from './random.js';

/** Identifies the random view of one row's picture. Together with the seed it determines the view. */
export interface ViewKey {
  readonly purpose: Purpose;
  readonly iteration: number;
  readonly epoch: number;
  /** train index of the row's anchor, below 2^28 */
  readonly anchor: number;
}

/** A part of a picture, in whole pixels, and whether it is mirrored. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly flipped: boolean;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The bounds of torchvision's RandomResizedCrop, taken unchanged. */
const [leastArea, mostArea] = [0.08, 1];
const [leastAspect, mostAspect] = [3 / 4, 4 / 3];
const attempts = 10;
/** Random numbers per key: the attempts, then the flip. */
const drawsPerKey = 16;
const flipDraw = 15;

/** The short side of pictures that are cropped to `imageSize`: 256 pixels for 224. */
export function shortSideFor(imageSize: number): number {
  return Math.round((imageSize * 256) / 224);
}

/**
 * The view of a training row. With cropping: a random area (8 % to all) and aspect (3:4 to 4:3). With flipping:
 * mirrored half of the time. As in torchvision, after ten attempts that do not fit the picture, the view is the largest
 * central part with an allowed aspect.
 */
export function trainingView(
  random: KeyedRandom,
  key: ViewKey,
  { crop, flip }: Augmentation,
  size: Size,
): View {
  const draws = new Uint32Array(4);
  const draw = (index: number) => {
    random.block(key.purpose, key.iteration, key.epoch, key.anchor * drawsPerKey + index, draws);
    return Array.from(draws, (word) => word / 2 ** 32) as [number, number, number, number];
  };
  const flipped = flip && draw(flipDraw)[0] < 0.5;
  if (crop === 'none') return { left: 0, top: 0, ...size, flipped };
  for (let attempt = 0; attempt < attempts; attempt++) {
    const [area, aspect, left, top] = draw(attempt);
    const pixels = size.width * size.height * (leastArea + area * (mostArea - leastArea));
    const ratio = leastAspect * (mostAspect / leastAspect) ** aspect;
    const width = Math.round(Math.sqrt(pixels * ratio));
    const height = Math.round(Math.sqrt(pixels / ratio));
    if (width < 1 || height < 1 || width > size.width || height > size.height) continue;
    return {
      left: Math.floor(left * (size.width - width + 1)),
      top: Math.floor(top * (size.height - height + 1)),
      width,
      height,
      flipped,
    };
  }
  const aspect = Math.min(mostAspect, Math.max(leastAspect, size.width / size.height));
  return {
    ...centred(
      size,
      Math.min(size.width, Math.round(size.height * aspect)),
      Math.min(size.height, Math.round(size.width / aspect)),
    ),
    flipped,
  };
}

/** The view of a query: the whole picture, or with cropping its central square of `imageSize` pixels. */
export function queryView({ crop }: Augmentation, size: Size, imageSize: number): View {
  const side = crop === 'none' ? undefined : imageSize;
  return { ...centred(size, side ?? size.width, side ?? size.height), flipped: false };
}

function centred(size: Size, width: number, height: number) {
  return {
    left: Math.round((size.width - width) / 2),
    top: Math.round((size.height - height) / 2),
    width,
    height,
  };
}
