/** Images in one batch of encode work. Fixed, so that the outputs do not depend on the workers. */
export const encodeBatchSize = 64;

/** Number of batches for this number of images. */
export function encodeBatches(images: number): number {
  return Math.ceil(images / encodeBatchSize);
}
