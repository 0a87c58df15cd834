import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plain } from '../../src/console/colour.js';
import { progressLine, type TaskState } from '../../src/console/progress-line.js';

const training: TaskState = {
  name: 'training',
  unit: 'steps',
  done: 72,
  total: 448,
  perSecond: 3.21,
  secondsLeft: 125,
  held: null,
  fields: { loss: 15.2534, mAP: 0.03139, iteration: '2/7', imagesPerSecond: 895 },
};
const at = (columns: number, state = training) => progressLine(state, columns, plain).text;

test('at 140 columns all is there, at 100 and 60 the loss and the time left still are', () => {
  expect(at(140)).toBe(
    'training  ███░░░░░░░░░░░░░░░░░░░░░   16%   72/448  2m5s left  3.2 steps/s  loss 15.25  mAP 0.03139  iteration 2/7  imagesPerSecond 895',
  );
  expect(at(100)).toBe(
    'training  █░░░░░░░░░   16%   72/448  2m5s left  3.2 steps/s  loss 15.25  mAP 0.03139  iteration 2/7',
  );
  expect(at(60)).toBe('training  █░░░░░░░░░░   16%   72/448  2m5s left  loss 15.25');
  expect(at(30)).toBe('training   16%  2m5s left');
  expect(at(6)).toBe(' 16%');
  expect(at(4)).toBe('tra');
});

test('a task that stands still shows why, and neither speed nor time left', () => {
  const line = at(140, { ...training, held: 'paused' });
  expect(line).toContain('   72/448  paused  loss 15.25');
  expect(line).not.toMatch(/left|steps\/s/);
});

test('only the end is 100 %, and it has no time left', () => {
  expect(at(80, { ...training, done: 447 })).toContain(' 99%  447/448  2m5s left');
  expect(at(80, { ...training, done: 448, secondsLeft: 0 })).toMatch(/ █+ {2}100% {2}448\/448 {2}3\.2 steps/);
});

test('no line is wider than the terminal less one column, whatever it shows', () => {
  const states = fc.record({
    name: fc.constantFrom('training', 'untrained features'),
    unit: fc.constantFrom('steps', 'images'),
    done: fc.nat(1e7),
    total: fc.nat(1e7),
    perSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
    secondsLeft: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true })),
    held: fc.option(fc.constantFrom('paused', 'waiting for workers')),
    fields: fc.dictionary(fc.constantFrom('loss', 'mAP', 'iteration'), fc.double()),
  });
  fc.assert(
    fc.property(states, fc.integer({ min: 1, max: 200 }), (state, columns) => {
      const { text, width } = progressLine(state, columns, plain);
      expect(text.length).toBe(width);
      expect(width).toBeLessThan(columns);
    }),
  );
});
