import { createHash } from 'node:crypto';
import { type BatchNormMoments, mergeMoments } from '../model/batch-norm-moments.js';
import type { NetworkLayout } from '../model/layout.js';
import { lossTerms } from '../model/loss.js';
import { addInto, isFiniteVector } from './gradient-vectors.js';

/** The content of one tree node: what the coordinator needs of the microbatches under it. */
export interface NodePayload {
  /** `[parameters]`, this node's part of the batch gradient. */
  readonly gradient: Float32Array;
  /** `[rows, bits]`, outputs of the anchors in row order. */
  readonly u: Float32Array;
  /** Parts of the batch loss, in the order of `lossTerms`. */
  readonly losses: Float64Array;
  readonly moments: BatchNormMoments;
}

/** A node's content without its gradient. */
export type NodeOutcome = Omit<NodePayload, 'gradient'>;

/** What determines the length of a payload, besides its rows. */
export interface PayloadShape {
  readonly layout: NetworkLayout;
  /** Forward passes with batch statistics: 2 with erased anchors, else 1. */
  readonly passes: 1 | 2;
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

/** `mergeOutcomes`, and gradients added in float32 with one rounding each. Reuses the left gradient's memory. */
export function mergePayloads(layout: NetworkLayout, left: NodePayload, right: NodePayload): NodePayload {
  addInto(left.gradient, right.gradient);
  return { gradient: left.gradient, ...mergeOutcomes(layout, left, right) };
}

/** Bytes of a payload that covers `rows` rows. */
export function payloadBytes(shape: PayloadShape, rows: number): number {
  const { batchNorms, statisticsCount, parameterCount, bits } = shape.layout;
  const doubles = lossTerms.length + shape.passes * (batchNorms.length + 2 * statisticsCount);
  return 8 * doubles + 4 * (parameterCount + rows * bits);
}

/** The payload's arrays in sending order. float64 comes first, so that the receiver's views are aligned. */
export function payloadArrays(payload: NodePayload): (Float64Array | Float32Array)[] {
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

/** Bytes of a payload without its gradient. */
export function outcomeBytes(shape: PayloadShape, rows: number): number {
  return payloadBytes(shape, rows) - Float32Array.BYTES_PER_ELEMENT * shape.layout.parameterCount;
}

/** Views into a received payload without its gradient, as `payloadFrom`. The gradient is empty. */
export function outcomeFrom(bytes: Uint8Array, shape: PayloadShape, rows: number): NodePayload {
  const layout = { ...shape.layout, parameterCount: 0 };
  return payloadFrom(bytes, { ...shape, layout }, rows);
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

/** Views into a received payload of `payloadBytes(shape, rows)` bytes at the start of an aligned buffer. */
export function payloadFrom(bytes: Uint8Array, shape: PayloadShape, rows: number): NodePayload {
  const buffer = bytes.buffer as ArrayBuffer;
  let offset = bytes.byteOffset;
  const doubles = (length: number) => {
    const view = new Float64Array(buffer, offset, length);
    offset += view.byteLength;
    return view;
  };
  const floats = (length: number) => {
    const view = new Float32Array(buffer, offset, length);
    offset += view.byteLength;
    return view;
  };
  const { layout, passes } = shape;
  const losses = doubles(lossTerms.length);
  const counts = doubles(passes * layout.batchNorms.length);
  const mean = doubles(passes * layout.statisticsCount);
  const squaredDeviations = doubles(passes * layout.statisticsCount);
  const gradient = floats(layout.parameterCount);
  const u = floats(rows * layout.bits);
  return { gradient, u, losses, moments: { passes, counts, mean, squaredDeviations } };
}

/** Name of the first part that contains a NaN or an infinity, or null. */
export function nonFinitePart(payload: NodePayload): string | null {
  const { moments } = payload;
  const parts: [string, Float32Array | Float64Array][] = [
    ['gradient', payload.gradient],
    ['outputs', payload.u],
    ['losses', payload.losses],
    ['BatchNorm counts', moments.counts],
    ['BatchNorm means', moments.mean],
    ['BatchNorm deviations', moments.squaredDeviations],
  ];
  return parts.find(([, values]) => !allFinite(values))?.[0] ?? null;
}

function allFinite(values: Float32Array | Float64Array): boolean {
  return values instanceof Float32Array ? isFiniteVector(values) : values.every(Number.isFinite);
}
