import type { RunState } from '../../coordinator/training/run-state.js';
import type { NetworkLayout } from '../../model/layout.js';
import type { NodePayload } from '../../reduction/payload.js';
import { widen } from '../../transport/widen.js';
import type { WireVector } from '../../transport/wire-vector.js';

type Values = Float32Array | Float64Array | Int8Array;

/** Copies of tensors by name, in the order in which they are computed. */
export type NamedTensors = ReadonlyMap<string, Values>;

/** How a tensor of two runs differs. */
export interface TensorDifference {
  readonly tensor: string;
  /** Number of elements that differ. */
  readonly differing: number;
  readonly elements: number;
  /** The largest absolute difference; null when an element is not finite. */
  readonly absolute: number | null;
  /** Difference of the same element in ulp: 1 for neighbouring numbers of its type. */
  readonly ulp: number | null;
}

/**
 * The results of a microbatch: batch statistics in the order of the layers, outputs, losses, then gradients from the last
 * layer to the first. This is the order of computation, so a difference begins in the first tensor that differs.
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
    tensors.set(`gradient of ${name}`, floatsOf(gradient.subarray(offset, offset + size)));
  }
  return tensors;
}

function floatsOf(values: WireVector): Float32Array {
  if (values instanceof Float32Array) return values.slice();
  const floats = new Float32Array(values.length);
  widen(values, floats);
  return floats;
}

/** The state of a run: database codes, parameters, running statistics, momentum, sampled outputs. */
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

/** The tensors that differ in any bit, in the order of `first`. */
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
    // NaN counts as larger than every number.
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

/** Distance of two values in ulp; for whole numbers their absolute difference. */
function ulpBetween(first: Values, second: Values, place: number): number {
  if (first instanceof Int8Array) return Math.abs(first[place]! - second[place]!);
  const rank =
    first instanceof Float64Array
      ? (value: number) => orderOf(new BigInt64Array(Float64Array.of(value).buffer)[0]!, 64n)
      : (value: number) => orderOf(BigInt(new Int32Array(Float32Array.of(value).buffer)[0]!), 32n);
  const distance = rank(first[place]!) - rank(second[place]!);
  return Number(distance < 0n ? -distance : distance);
}

/** Maps a float's bits to a signed integer that is larger for a larger float. −0 and 0 are neighbours. */
function orderOf(bits: bigint, width: bigint): bigint {
  return bits >= 0n ? bits : -(bits + (1n << (width - 1n))) - 1n;
}
