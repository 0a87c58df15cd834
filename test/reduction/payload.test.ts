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

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 13, imageSize: 64 });
const shape = { layout, passes: 2 } as const;

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
