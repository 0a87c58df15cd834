import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { describeModel } from '../../src/model/layout.js';
import {
  mergePayloads,
  type NodePayload,
  nonFinitePart,
  payloadArrays,
  payloadBytes,
  payloadDigest,
  payloadFrom,
  receivedDigest,
} from '../../src/reduction/payload.js';
import { bytesOf } from '../../src/transport/bytes.js';
import { bfloat16Of, nearestBfloat16, valueOfBfloat16 } from '../kit/bfloat16.js';

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 13, imageSize: 64 });
const shape = { layout, passes: 2, precision: 'float32' } as const;

function payload(rows: number, key: number): NodePayload {
  const numbers = <Values extends Float32Array | Float64Array>(values: Values): Values => {
    for (let i = 0; i < values.length; i++) values[i] = Math.sin(i * 12.9898 + key);
    return values;
  };
  const { batchNorms, statisticsCount, parameterCount, bits } = layout;
  return {
    gradient: numbers(new Float32Array(parameterCount)),
    u: numbers(new Float32Array(rows * bits)),
    losses: numbers(new Float64Array(4)),
    moments: {
      passes: 2,
      counts: new Float64Array(2 * batchNorms.length).fill(rows * 4),
      mean: numbers(new Float64Array(2 * statisticsCount)),
      squaredDeviations: numbers(new Float64Array(2 * statisticsCount)).map(Math.abs),
    },
  };
}

function inBfloat16(exact: NodePayload): NodePayload {
  return { ...exact, gradient: bfloat16Of(exact.gradient as Float32Array) };
}

test('a payload comes back from its bytes as it was', () => {
  const sent = payload(3, 1);
  const bytes = Buffer.concat(payloadArrays(sent).map(bytesOf));
  expect(bytes.byteLength).toBe(payloadBytes(shape, 3));
  const received = payloadFrom(Uint8Array.from(bytes), shape, 3);
  expect(Buffer.concat(payloadArrays(received).map(bytesOf)).equals(bytes)).toBe(true);
  expect(received.moments.counts).toEqual(sent.moments.counts);
  expect(received.losses).toEqual(sent.losses);
  expect(received.u).toEqual(sent.u);
});

test('with bfloat16 only the gradient is shorter, and all parts come back behind an odd number of its elements', () => {
  const sent = inBfloat16(payload(3, 1));
  expect(sent.gradient.length % 2).toBe(1);
  const bytes = Buffer.concat(payloadArrays(sent).map(bytesOf));
  const short = { ...shape, precision: 'bfloat16' } as const;
  expect(payloadBytes(shape, 3) - payloadBytes(short, 3)).toBe(2 * layout.parameterCount);
  expect(bytes.byteLength).toBe(payloadBytes(short, 3));
  const received = payloadFrom(Uint8Array.from(bytes), short, 3);
  expect(Buffer.concat(payloadArrays(received).map(bytesOf)).equals(bytes)).toBe(true);
  expect(received.u).toEqual(sent.u);
  expect(payloadDigest(received).equals(receivedDigest(bytes))).toBe(true);
});

test('merging rounds the sum of bfloat16 gradients, and nothing else', () => {
  const [left, right] = [payload(3, 1), payload(2, 2)].map(inBfloat16) as [NodePayload, NodePayload];
  const sums = Uint16Array.from(left.gradient, (half, i) =>
    nearestBfloat16(Math.fround(valueOfBfloat16(half) + valueOfBfloat16(right.gradient[i]!))),
  );
  const merged = mergePayloads(layout, left, right);
  const exact = mergePayloads(layout, payload(3, 1), payload(2, 2));
  const [found, expected] = [merged, { ...exact, gradient: sums }].map((each) =>
    Buffer.concat(payloadArrays(each).map(bytesOf)),
  );
  expect(Buffer.compare(found!, expected!)).toBe(0);
});

test('merging adds gradients in float32, losses in float64, and joins outputs in row order', () => {
  const [left, right] = [payload(3, 1), payload(2, 2)];
  const expected = left.gradient.map((value, i) => Math.fround(value + right.gradient[i]!));
  const losses = left.losses.map((value, i) => value + right.losses[i]!);
  const u = Float32Array.of(...left.u, ...right.u);
  const merged = mergePayloads(layout, left, right);
  expect(Buffer.compare(bytesOf(merged.gradient), bytesOf(expected))).toBe(0);
  expect(merged.losses).toEqual(losses);
  expect(merged.u).toEqual(u);
  expect(merged.moments.counts[0]).toBe(20);
});

test.each([
  ['gradient', Number.NaN, (bad: NodePayload) => bad.gradient],
  ['outputs', Number.POSITIVE_INFINITY, (bad: NodePayload) => bad.u],
  ['losses', Number.NEGATIVE_INFINITY, (bad: NodePayload) => bad.losses],
  ['BatchNorm counts', Number.NaN, (bad: NodePayload) => bad.moments.counts],
  ['BatchNorm means', Number.NaN, (bad: NodePayload) => bad.moments.mean],
  ['BatchNorm deviations', Number.POSITIVE_INFINITY, (bad: NodePayload) => bad.moments.squaredDeviations],
])('%s with %s are found', (part, value, of) => {
  const bad = payload(2, 1);
  expect(nonFinitePart(bad)).toBeNull();
  of(bad)[1] = value;
  expect(nonFinitePart(bad)).toBe(part);
});

test('the digest of a payload is the SHA-256 of its bytes as they arrive', () => {
  const sent = payload(3, 1);
  const bytes = Buffer.concat(payloadArrays(sent).map(bytesOf));
  const expected = createHash('sha256').update(bytes).digest('hex');
  expect(payloadDigest(sent).toString('hex')).toBe(expected);
  expect(receivedDigest(bytes).toString('hex')).toBe(expected);
});

test('a payload is read where it begins in its buffer', () => {
  const sent = payload(2, 3);
  const bytes = Buffer.concat([Buffer.alloc(8), ...payloadArrays(sent).map(bytesOf)]);
  const received = payloadFrom(Uint8Array.from(bytes).subarray(8), shape, 2);
  expect(received.moments.passes).toBe(2);
  expect(received.losses).toEqual(sent.losses);
  expect(Buffer.compare(bytesOf(received.gradient), bytesOf(sent.gradient))).toBe(0);
});
