import { createHash } from 'node:crypto';
import type { PassCount } from '../methods/passes.js';
import { type BatchNormMoments, mergeMoments } from '../model/batch-norm-moments.js';
import type { NetworkLayout } from '../model/layout.js';
import { lossTermCount } from '../model/loss.js';
import type { WirePrecision } from '../run/training-run.js';
import { type WireVector, wireBytes, wireVector } from '../transport/wire-vector.js';
import { addInto, isFiniteVector } from './gradient-vectors.js';

/** The content of one tree node: what the coordinator needs of the microbatches under it. */
export interface NodePayload {
  /** `[parameters]`, this node's part of the batch gradient, in the wire's precision. */
  readonly gradient: WireVector;
  /** `[rows, bits]`, outputs of the anchors in row order. */
  readonly u: Float32Array;
  /** Parts of the batch loss, in the order of `lossTermsOf`. */
  readonly losses: Float64Array;
  readonly moments: BatchNormMoments;
}

/** A node's content without its gradient. */
export type NodeOutcome = Omit<NodePayload, 'gradient'>;

/** What determines the length of a payload, besides its rows. */
export interface PayloadShape {
  readonly layout: NetworkLayout;
  /** Forward passes whose moments move the running statistics. */
  readonly passes: PassCount;
  /** Of the gradient; everything else has one precision. */
  readonly precision: WirePrecision;
}

/** Left + right. Losses are added in float64, moments by Chan's formula. Outputs are concatenated. */
export function mergeOutcomes(layout: NetworkLayout, left: NodeOutcome, right: NodeOutcome): NodeOutcome {
  const u = new Float32Array(left.u.length + right.u.length);
  u.set(left.u);
  u.set(right.u, left.u.length);
  return {
    u,
    losses: left.losses.map((value, term) => value + right.losses[term]!),
    moments: mergeMoments(layout, left.moments, right.moments),
  };
}

/** `mergeOutcomes`, and gradients added as `addInto` does. Reuses the left gradient's memory. */
export function mergePayloads(layout: NetworkLayout, left: NodePayload, right: NodePayload): NodePayload {
  addInto(left.gradient, right.gradient);
  return { gradient: left.gradient, ...mergeOutcomes(layout, left, right) };
}

/** Bytes of a payload that covers `rows` rows. */
export function payloadBytes(shape: PayloadShape, rows: number): number {
  const { batchNorms, statisticsCount, parameterCount, bits } = shape.layout;
  const doubles = lossTermCount(shape.layout) + shape.passes * (batchNorms.length + 2 * statisticsCount);
  return 8 * doubles + wireBytes(shape.precision, parameterCount) + 4 * rows * bits;
}

/** The payload's arrays in sending order. float64 comes first, so that the receiver's views are aligned. */
export function payloadArrays(payload: NodePayload): (Float64Array | WireVector)[] {
  const { moments } = payload;
  return [
    payload.losses,
    moments.counts,
    moments.mean,
    moments.squaredDeviations,
    payload.gradient,
    payload.u,
  ];
}

/** The shape of a payload whose gradient and moments are exchanged: it has neither. */
export function outcomeShape({ layout, ...shape }: PayloadShape): PayloadShape {
  return { ...shape, layout: { ...layout, parameterCount: 0, statisticsCount: 0, batchNorms: [] } };
}

/** What a worker sends of a node to the coordinator while it exchanges gradient and moments: these are empty. */
export function outcomeOf({ u, losses, moments: { passes } }: NodePayload): NodePayload {
  const none = new Float64Array(0);
  const moments = { passes, counts: none, mean: none, squaredDeviations: none };
  return { gradient: new Float32Array(0), u, losses, moments };
}

/** SHA-256 over the payload's bytes as sent. */
export function payloadDigest(payload: NodePayload): Buffer {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of payloadArrays(payload)) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest();
}

/** SHA-256 over received bytes. For a payload it equals the sender's `payloadDigest`. */
export function receivedDigest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Parts of a received payload of `payloadBytes(shape, rows)` bytes at the start of an aligned buffer, as views. */
export function payloadFrom(bytes: Uint8Array, shape: PayloadShape, rows: number): NodePayload {
  const buffer = bytes.buffer as ArrayBuffer;
  let offset = bytes.byteOffset;
  const doubles = (length: number) => {
    const view = new Float64Array(buffer, offset, length);
    offset += view.byteLength;
    return view;
  };
  const { layout, passes, precision } = shape;
  const losses = doubles(lossTermCount(layout));
  const counts = doubles(passes * layout.batchNorms.length);
  const mean = doubles(passes * layout.statisticsCount);
  const squaredDeviations = doubles(passes * layout.statisticsCount);
  const gradient = wireVector(precision, buffer, offset, layout.parameterCount);
  offset += gradient.byteLength;
  // Copied: behind an odd number of bfloat16 numbers it is not aligned.
  const u = new Float32Array(buffer.slice(offset, offset + 4 * rows * layout.bits));
  return { gradient, u, losses, moments: { passes, counts, mean, squaredDeviations } };
}

/** Name of the first part that contains a NaN or an infinity, or null. */
export function nonFinitePart(payload: NodePayload): string | null {
  const { moments } = payload;
  const parts: [string, WireVector | Float64Array][] = [
    ['gradient', payload.gradient],
    ['outputs', payload.u],
    ['losses', payload.losses],
    ['BatchNorm counts', moments.counts],
    ['BatchNorm means', moments.mean],
    ['BatchNorm deviations', moments.squaredDeviations],
  ];
  return parts.find(([, values]) => !allFinite(values))?.[0] ?? null;
}

function allFinite(values: WireVector | Float64Array): boolean {
  return values instanceof Float64Array ? values.every(Number.isFinite) : isFiniteVector(values);
}
