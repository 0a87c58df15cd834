import { describe, expect, test } from 'vitest';
import { ArrivingWeights } from '../../src/worker/arriving-weights.js';

function start() {
  const set: number[] = [];
  const done: number[] = [];
  const lost: number[] = [];
  const ended = new AbortController();
  const weights = new ArrivingWeights(
    (bytes) => void set.push(bytes[0]!),
    ended.signal,
    (version) => lost.push(version),
  );
  const arrive = (version: number) =>
    weights.arrive(version, Uint8Array.of(version), () => done.push(version));
  return { weights, arrive, set, done, lost, ended };
}

/** Whether a promise is resolved by what has happened until now. */
async function isResolved(promise: Promise<void>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => {
    resolved = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return resolved;
}

describe('weights', () => {
  test('are set when work begins that names them, whether they come before or after it', async () => {
    const { weights, arrive, set, done } = start();
    arrive(1);
    weights.expect(1);
    await weights.use(1);
    weights.expect(1);
    await weights.use(1);
    expect(set).toEqual([1]);
    weights.expect(2);
    const late = weights.use(2);
    expect(await isResolved(late)).toBe(false);
    arrive(2);
    await late;
    expect([set, done]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('that queued work names are kept when newer ones come', async () => {
    const { weights, arrive, set, done } = start();
    weights.expect(1);
    weights.expect(3);
    for (const version of [1, 2, 3]) arrive(version);
    expect(done).toEqual([2]);
    await weights.use(1);
    await weights.use(3);
    expect(set).toEqual([1, 3]);
    expect(done).toEqual([2, 1, 3]);
  });

  test('that no work names go when newer ones come', () => {
    const { arrive, set, done } = start();
    for (const version of [1, 2, 2, 3]) arrive(version);
    expect([set, done]).toEqual([[], [1, 2, 2]]);
  });

  test('are not waited for when the session ends', async () => {
    const { weights, set, ended } = start();
    weights.expect(1);
    const wait = weights.use(1);
    ended.abort();
    await wait;
    expect(set).toEqual([]);
  });

  test('that never come are said to be lost where work needs them', () => {
    const { weights, arrive, lost } = start();
    weights.giveUp(1);
    expect(lost).toEqual([]);
    weights.expect(1);
    weights.expect(2);
    weights.giveUp(2);
    arrive(3);
    weights.expect(3);
    weights.giveUp(3);
    expect(lost).toEqual([1, 2]);
  });
});
