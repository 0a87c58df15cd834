/** Images in one batch of encode work. Fixed, so that the outputs do not depend on the workers. */
export const encodeBatchSize = 64;

/** How many batches a job of so many images has. */
export function encodeBatches(images: number): number {
  return Math.ceil(images / encodeBatchSize);
}
