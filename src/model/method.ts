import type { Method } from '../run/training-run.js';

/** Whether the method compares anchors with positives. */
export function usesPositives(method: Method): boolean {
  return method === 'esrl' || method === 'fcaenet';
}

/** Whether the method compares anchors with their erased copies, in a second forward pass. */
export function usesErasing(method: Method): boolean {
  return method === 'srem' || method === 'fcaenet';
}

/** Number of images in the forward and backward pass for one anchor. */
export function imagesPerAnchor(method: Method): number {
  return 1 + Number(usesPositives(method)) + Number(usesErasing(method));
}
