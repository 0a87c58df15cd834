import type { Augmentation } from '../run/training-run.js';
import type { KeyedRandom, Purpose } from './random.js';

/** Names the random part of a picture that one row of a batch sees: with the seed, all that it depends on. */
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

/** The bounds of torchvision's RandomResizedCrop, which the recipe takes as they are. */
const [leastArea, mostArea] = [0.08, 1];
const [leastAspect, mostAspect] = [3 / 4, 4 / 3];
const attempts = 10;
/** Draws of one key: the attempts, then the flip. */
const drawsPerKey = 16;
const flipDraw = 15;

/** The short side of pictures that are cropped to `imageSize`: 256 pixels for 224. */
export function shortSideFor(imageSize: number): number {
  return Math.round((imageSize * 256) / 224);
}

/**
 * What a training row sees of a picture: of random area (8 % to all) and aspect (3:4 to 4:3) where pictures are cropped,
 * mirrored half of the time where they are flipped. As in torchvision, ten attempts that do not fit the picture are
 * followed by its largest central part of an allowed aspect.
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

/** What a query sees of a picture: all of it, or the central square of `imageSize` pixels where pictures are cropped. */
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
