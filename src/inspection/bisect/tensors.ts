import type { RunState } from '../../coordinator/training/run-state.js';
import type { NetworkLayout } from '../../model/layout.js';
import type { NodePayload } from '../../reduction/payload.js';

type Values = Float32Array | Float64Array | Int8Array;

/** Copies of tensors by name, in the order in which they are computed. */
export type NamedTensors = ReadonlyMap<string, Values>;

/** How a tensor of two runs differs. */
export interface TensorDifference {
  readonly tensor: string;
  /** Elements that differ, of how many. */
  readonly differing: number;
  readonly elements: number;
  /** The largest absolute difference; null where an element is not finite. */
  readonly absolute: number | null;
  /** Of the same element: how many numbers of its type lie between the two values, counting one of them. */
  readonly ulp: number | null;
}

/**
 * What a microbatch gave: batch statistics in the order of the layers, outputs, losses, then gradients as the backward
 * pass computes them, from the last layer to the first. Where differences begin is the first tensor that differs.
 */
export function payloadTensors(layout: NetworkLayout, payload: NodePayload): NamedTensors {
  const { u, losses, gradient, moments } = payload;
  const tensors = new Map<string, Values>();
  for (let pass = 0; pass < moments.passes; pass++) {
    for (const { name, offset, channels } of layout.batchNorms) {
      const begin = pass * layout.statisticsCount + offset;
      for (const [what, values] of [
        ['mean', moments.mean],
        ['squared deviations', moments.squaredDeviations],
      ] as const) {
        tensors.set(`batch ${what} of ${name}, pass ${pass + 1}`, values.slice(begin, begin + channels));
      }
    }
  }
  tensors.set('outputs u', u.slice());
  tensors.set('losses', losses.slice());
  for (const { name, offset, size } of layout.parameters.toReversed()) {
    tensors.set(`gradient of ${name}`, gradient.slice(offset, offset + size));
  }
  return tensors;
}

/** What a run is at one moment: database codes, parameters, running statistics, momentum, sampled outputs. */
export function stateTensors(layout: NetworkLayout, state: RunState): NamedTensors {
  const { weights, optimizer, codes, u } = state;
  const tensors = new Map<string, Values>([['database codes V', codes.slice()]]);
  for (const { name, offset, size } of layout.parameters) {
    tensors.set(name, weights.parameters.slice(offset, offset + size));
  }
  for (const { meanName, varianceName, offset, channels } of layout.batchNorms) {
    tensors.set(meanName, weights.mean.slice(offset, offset + channels));
    tensors.set(varianceName, weights.variance.slice(offset, offset + channels));
  }
  for (const { name, offset, size } of layout.parameters) {
    tensors.set(`momentum of ${name}`, optimizer.buffer.slice(offset, offset + size));
  }
  return tensors.set('sampled outputs U', u.slice());
}

/** The tensors that differ in a bit, in the order of the first. */
export function tensorDifferences(first: NamedTensors, second: NamedTensors): TensorDifference[] {
  return [...first].flatMap(([tensor, values]) => {
    const difference = differenceOf(tensor, values, second.get(tensor)!);
    return difference.differing > 0 ? [difference] : [];
  });
}

function differenceOf(tensor: string, first: Values, second: Values): TensorDifference {
  let differing = 0;
  let largest = -1;
  let place = 0;
  for (let i = 0; i < first.length; i++) {
    if (Object.is(first[i], second[i])) continue;
    differing++;
    const distance = Math.abs(first[i]! - second[i]!);
    // One that is not a number is larger than any.
    const size = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (size > largest) [largest, place] = [size, i];
  }
  const isNumber = differing > 0 && Number.isFinite(largest);
  return {
    tensor,
    differing,
    elements: first.length,
    absolute: isNumber ? largest : null,
    ulp: isNumber ? ulpBetween(first, second, place) : null,
  };
}

/** Steps from one value to the other through the numbers of their type; of whole numbers their distance. */
function ulpBetween(first: Values, second: Values, place: number): number {
  if (first instanceof Int8Array) return Math.abs(first[place]! - second[place]!);
  const rank =
    first instanceof Float64Array
      ? (value: number) => orderOf(new BigInt64Array(Float64Array.of(value).buffer)[0]!, 64n)
      : (value: number) => orderOf(BigInt(new Int32Array(Float32Array.of(value).buffer)[0]!), 32n);
  const distance = rank(first[place]!) - rank(second[place]!);
  return Number(distance < 0n ? -distance : distance);
}

/** A float's bits, as a signed integer that grows with the float; −0 and 0 are neighbours. */
function orderOf(bits: bigint, width: bigint): bigint {
  return bits >= 0n ? bits : -(bits + (1n << (width - 1n))) - 1n;
}
