import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectLane } from '../../../src/coordinator/lane/direct-lane.js';
import type { Advance, Lane } from '../../../src/coordinator/lane/lane.js';
import { bytesOf } from '../../../src/transport/bytes.js';

// A thread needs a file of JavaScript.
const { ThreadLane } = (await import(
  resolve('dist/coordinator/lane/thread-lane.js')
)) as typeof import('../../../src/coordinator/lane/thread-lane.js');

/** More than one chunk. */
const length = 300_001;
const lanes: Lane[] = [];
afterEach(async () => {
  for (const lane of lanes.splice(0)) await lane.close();
});

function opened(lane: Lane): Lane {
  lanes.push(lane);
  return lane;
}

/** A vector in the lane's memory. */
function filled(lane: Lane, key: number): Float32Array {
  const values = new Float32Array(lane.allocate(4 * length));
  for (let i = 0; i < length; i++) values[i] = Math.sin(i * 12.9898 + key);
  return values;
}

const sha256 = (values: Uint8Array) => createHash('sha256').update(values).digest('hex');

function advanceOn(lane: Lane, gradient = filled(lane, 3)): Advance {
  const range = { start: 0, end: length };
  return {
    from: { parameters: filled(lane, 1), buffer: filled(lane, 2) },
    into: { parameters: filled(lane, 0), buffer: filled(lane, 0) },
    gradient,
    source: null,
    scalars: { learningRate: 0.1, weightDecay: 1e-5, gradientScale: 1, momentum: 0.9 },
    sending: { sent: { term: 1, version: 5, part: { range, forward: true } }, precision: 'float32' },
  };
}

const failures: Error[] = [];
const thread = () => opened(new ThreadLane((error) => failures.push(error)));
const direct = () => opened(new DirectLane());

test('a thread computes, sends and hashes what the same thread does, bit for bit', async () => {
  const results = [];
  for (const lane of [direct(), thread()]) {
    const advance = advanceOn(lane);
    const messages = await lane.advance(advance);
    lane.hash(advance.gradient.subarray(0, 1000), true);
    lane.hash(advance.gradient, true);
    const { from, into } = advance;
    const copy = new Float32Array(lane.allocate(4 * length));
    await lane.copy(into.parameters, copy);
    results.push({
      norm: await lane.norm(advance.gradient),
      vectors: [from.parameters, into.parameters, into.buffer, copy].map((each) => sha256(bytesOf(each))),
      messages: messages!.map(sha256),
      digest: await lane.digest(),
    });
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[0]!.messages).toHaveLength(3);
  expect(results[0]!.vectors[1]).not.toBe(results[0]!.vectors[0]);
  expect(results[0]!.digest).toBe(sha256(bytesOf(filled(direct(), 3))));
});

test('a gradient that lies elsewhere is copied into its place first', async () => {
  for (const lane of [direct(), thread()]) {
    const expected = advanceOn(lane);
    const messages = await lane.advance(expected);
    const advance = { ...advanceOn(lane, filled(lane, 9)), source: filled(lane, 3) };
    expect((await lane.advance(advance))!.map(sha256)).toEqual(messages!.map(sha256));
    expect(sha256(bytesOf(advance.gradient))).toBe(sha256(bytesOf(expected.gradient)));
    expect(sha256(bytesOf(advance.into.parameters))).toBe(sha256(bytesOf(expected.into.parameters)));
  }
});

test('a gradient that is not finite is not applied', async () => {
  for (const lane of [direct(), thread()]) {
    const gradient = filled(lane, 3);
    gradient[length - 1] = Number.NaN;
    const advance = advanceOn(lane, gradient);
    expect(await lane.advance(advance)).toBeNull();
    expect(sha256(bytesOf(advance.into.parameters))).toBe(sha256(bytesOf(filled(lane, 0))));
  }
});

describe('a lane that cannot go on', () => {
  const sentence = (does: string, why: string) => ({
    code: 'COORDINATOR_LANE',
    message: expect.stringMatching(
      new RegExp(`^the thread that ${does} has failed: ${why}.*; start the coordinator again to resume`),
    ),
  });

  test('ends what waits and what is asked later with one sentence', async () => {
    const lane = thread();
    // No thread can copy into a vector that is too short.
    const expected = sentence('computes new weights', 'offset is out of bounds');
    await Promise.all([
      expect(lane.copy(filled(lane, 1), filled(lane, 1).subarray(0, 4))).rejects.toMatchObject(expected),
      expect(lane.advance(advanceOn(lane))).rejects.toMatchObject(expected),
    ]);
    await expect(lane.advance(advanceOn(lane))).rejects.toMatchObject(expected);
    expect(failures).toMatchObject([expected]);
  });

  test('says that it was closed', async () => {
    const lane = thread();
    lane.hash(filled(lane, 1), true);
    const expected = sentence("computes the gradient's digest", 'it was closed');
    const ended = expect(lane.digest()).rejects.toMatchObject(expected);
    await lane.close();
    await ended;
  });
});
