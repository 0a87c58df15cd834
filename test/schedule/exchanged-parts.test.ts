import { expect, test } from 'vitest';
import { exchangedParts } from '../../src/schedule/exchanged-parts.js';
import { anchorsAreMade } from '../../src/schedule/schedule.js';
import { run } from '../run/support.js';

const images = Int32Array.from({ length: 2000 }, (_, i) => i);
const specOf = (...settings: string[]) => run('spec.method=exchnet', ...settings).spec;
const position = { iteration: 3, epoch: 1 };

test('about half of the parts are exchanged, each image’s by its own draws', () => {
  const spec = specOf();
  const drawn = exchangedParts(spec, position, images);
  for (let part = 0; part < 4; part++) {
    const share = drawn.reduce((sum, bits) => sum + ((bits >>> part) & 1), 0) / images.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
  }
  const [image] = exchangedParts(spec, position, Int32Array.of(77));
  expect(image).toBe(drawn[77]);
  expect(exchangedParts(spec, { ...position, epoch: 2 }, images)).not.toEqual(drawn);
});

test('more parts do not change the draws of the others', () => {
  const eight = exchangedParts(specOf('spec.exchnet.parts=8'), position, images);
  expect(eight.map((bits) => bits & 15)).toEqual(exchangedParts(specOf(), position, images));
});

test.each([
  [0, 0],
  [1, 15],
])('with probability %d, the parts are %d', (exchange, bits) => {
  const drawn = exchangedParts(specOf(`spec.exchnet.exchange=${exchange}`), position, images);
  expect(drawn.every((each) => each === bits)).toBe(true);
});

test.each([
  [40, 0.875, [35, 36, 37, 38, 39]],
  [7, 0.875, [6]],
  [3, 0, [1, 2]],
  [3, 1, []],
  [1, 0.875, []],
])(
  'of %d iterations with start %d, those behind %j have features of the classes',
  (iterations, start, made) => {
    const spec = specOf(`spec.schedule.iterations=${iterations}`, `spec.exchnet.start=${start}`);
    const all = Array.from({ length: iterations }, (_, iteration) => iteration);
    expect(all.filter((each) => anchorsAreMade(spec, each)).map((each) => each + 1)).toEqual(made);
  },
);
