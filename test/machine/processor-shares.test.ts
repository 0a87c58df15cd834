import { afterAll, expect, test } from 'vitest';
import { formatProcessorList, parseProcessorList } from '../../src/machine/devices/processor-list.js';
import { allowedProcessors, shareProcessors } from '../../src/machine/devices/processor-shares.js';
import { FakeMachine } from '../kit/fake-machine.js';

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

test.each([
  ['0', [0]],
  ['0-3,8', [0, 1, 2, 3, 8]],
  ['0-1,64-65\n', [0, 1, 64, 65]],
])('the list %j has the processors %j', (text, expected) => {
  expect(parseProcessorList(text)).toEqual(expected);
  expect(formatProcessorList(expected)).toBe(text.trim());
});

test.each(['', 'a', '1-', '1,,2'])('%j is no list of processors', (text) => {
  expect(parseProcessorList(text)).toBeNull();
});

test('processes without a place get equal parts', () => {
  expect(shareProcessors(numbers(8), [null, null, null])).toEqual([
    [0, 1],
    [2, 3, 4],
    [5, 6, 7],
  ]);
});

test('each gets processors near its device, and those near the same ones share them', () => {
  const [low, high] = [numbers(4), [4, 5, 6, 7]];
  expect(shareProcessors(numbers(8), [low, high, low, high, high])).toEqual([
    [0, 1],
    [4],
    [2, 3],
    [5],
    [6, 7],
  ]);
});

test('near processors that this process may not use do not count', () => {
  expect(shareProcessors([2, 3], [[0, 1, 2], [8]])).toEqual([[2], [3]]);
});

test('more processes than processors use them in turn, as evenly as possible', () => {
  const shares = shareProcessors(
    [5, 9],
    numbers(8).map(() => null),
  );
  expect(shares.map(([processor]) => processor)).toEqual([5, 5, 5, 5, 9, 9, 9, 9]);
  expect(shares.every(({ length }) => length === 1)).toBe(true);
});

test('whatever the places, everybody has one, nobody has one that is not allowed, and equals differ by one at most', () => {
  for (let count = 1; count <= 9; count++) {
    for (let processors = 1; processors <= 9; processors++) {
      const allowed = numbers(processors).map((number) => 3 * number);
      const shares = shareProcessors(
        allowed,
        numbers(count).map((index) => (index % 2 === 0 ? null : allowed.slice(0, 2))),
      );
      expect(shares.flat().every((processor) => allowed.includes(processor))).toBe(true);
      for (const parity of [0, 1]) {
        const sizes = shares.filter((_, index) => index % 2 === parity).map(({ length }) => length);
        if (sizes.length === 0) continue;
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  }
});

const machine = new FakeMachine({
  program: null,
  files: {
    'proc/self/status': 'Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-1,4-5\n',
    'sys/devices/system/cpu/cpu0/topology/thread_siblings_list': '0,4\n',
    'sys/devices/system/cpu/cpu1/topology/thread_siblings_list': '1,5\n',
    'sys/devices/system/cpu/cpu4/topology/thread_siblings_list': '0,4\n',
    'sys/devices/system/cpu/cpu5/topology/thread_siblings_list': '1,5\n',
  },
});
afterAll(() => machine.remove());

test('the processors of one core are beside each other, so that a share has whole cores', () => {
  const allowed = allowedProcessors(machine.root)!;
  expect(allowed).toEqual([0, 4, 1, 5]);
  expect(shareProcessors(allowed, [null, null])).toEqual([
    [0, 4],
    [1, 5],
  ]);
});

test('a system that does not say has no processors to share', () => {
  expect(allowedProcessors(`${machine.root}/nowhere`)).toBeNull();
});
