import { TransportError } from '../../transport/error.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';

/** Negative when `left` is an earlier step than `right`, 0 when both are the same, positive when it is later. */
export function comparePositions(left: Position__Output, right: Position__Output): number {
  return left.iteration - right.iteration || left.epoch - right.epoch || left.step - right.step;
}

/** @throws TransportError TRANSPORT_BAD_MESSAGE when a message names no position */
export function checkedPosition(position: Position__Output | null, what: string): Position__Output {
  if (position) return position;
  throw new TransportError('TRANSPORT_BAD_MESSAGE', `${what} names no position, expected the step's`);
}
