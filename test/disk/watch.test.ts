import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DiskWatch, type OverdueOperation, overdueSeconds } from '../../src/disk/watch.js';
import { failure } from '../kit/failure.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => {});
const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(1000 * seconds);

function watchOf(wakeUp: () => Promise<unknown> = async () => {}) {
  const watch = new DiskWatch(wakeUp);
  const told: OverdueOperation[] = [];
  watch.onOverdue = (overdue) => told.push(overdue);
  return { watch, told };
}

test('what answers in time is passed on, and nothing is sent after it', async () => {
  const wakeUp = vi.fn(async () => {});
  const { watch, told } = watchOf(wakeUp);
  const work = new Promise((resolve) => setTimeout(resolve, 1000 * (overdueSeconds - 1), 'bytes'));
  const answer = watch.until('read', 'a.jpg', work);
  await passSeconds(60);
  expect(await answer).toBe('bytes');
  await expect(watch.until('read', 'b.jpg', Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
  await passSeconds(60);
  expect(wakeUp).not.toHaveBeenCalled();
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('an operation that answers only after a wake-up gets one, told of once, and answers', async () => {
  let wake = () => {};
  const wakeUp = vi.fn(async () => wake());
  const { watch, told } = watchOf(wakeUp);
  const answer = watch.until(
    'fsync',
    'weights',
    new Promise<string>((resolve) => {
      wake = () => resolve('on the disk');
    }),
  );
  await passSeconds(overdueSeconds - 1);
  expect([told.length, wakeUp.mock.calls.length, watch.longestSeconds]).toEqual([0, 0, 0]);
  await passSeconds(1);
  expect(await answer).toBe('on the disk');
  expect(told).toEqual([{ operation: 'fsync', file: 'weights', seconds: overdueSeconds }]);
  expect(wakeUp).toHaveBeenCalledTimes(1);
  await passSeconds(60);
  expect(wakeUp).toHaveBeenCalledTimes(1);
  expect([watch.overdueTotal, watch.longestSeconds]).toEqual([1, 0]);
});

test('one that never answers is poked every second, its wait is shown, and it is told of once', async () => {
  const wakeUp = vi.fn(async () => {});
  const { watch, told } = watchOf(wakeUp);
  void watch.until('write', 'ledger', never());
  await passSeconds(60);
  expect(watch.longestSeconds).toBe(60);
  expect(wakeUp).toHaveBeenCalledTimes(60 - overdueSeconds + 1);
  expect(told).toHaveLength(1);
});

test('pokes that do not answer either do not pile up', async () => {
  const wakeUp = vi.fn(never);
  const { watch } = watchOf(wakeUp);
  void watch.until('write', 'ledger', never());
  await passSeconds(3600);
  expect(wakeUp).toHaveBeenCalledTimes(100);
});

test('one with a bound is given up after it, with a sentence, and what comes later is dropped', async () => {
  const { watch } = watchOf();
  let answer = (_: string) => {};
  const work = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const bounded = watch.until('fsync', 'runs/a/weights', work, 30);
  const seen = expect(bounded).rejects.toEqual(
    failure('DISK_NO_ANSWER', 'fsync of runs/a/weights did not answer within 30 s'),
  );
  await passSeconds(30);
  await seen;
  expect(watch.longestSeconds).toBe(0);
  answer('late');
  await expect(bounded).rejects.toThrow('did not answer');
});
