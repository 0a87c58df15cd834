import { KeyedRandom, Purpose } from '../../data/random.js';

/**
 * Draws the hold-out of a train split, class by class: of n images of a class round(share · n), but at least 1 and at
 * most n − 1. A class with one image stays in the train split. The draw depends on seed, class and n only.
 * @param labels of the train split, `[n]`
 * @returns whether each image is held out, `[n]`
 */
export function drawHoldOut(
  labels: Int32Array,
  classCount: number,
  share: number,
  seed: number,
): readonly boolean[] {
  const random = new KeyedRandom(seed);
  const members = Array.from({ length: classCount }, (): number[] => []);
  for (const [image, label] of labels.entries()) members[label]!.push(image);
  const held = new Array<boolean>(labels.length).fill(false);
  for (const [label, images] of members.entries()) {
    const count = Math.min(images.length - 1, Math.max(1, Math.round(share * images.length)));
    if (count < 1) continue;
    for (const place of random.permutation(images.length, count, Purpose.holdOut, label, 0)) {
      held[images[place]!] = true;
    }
  }
  return held;
}
