import { expect, test } from 'vitest';
import { image, ints, pick, readGolden, relativeError, signs, unit, word } from './support.js';

interface GeneratorGolden {
  name: string;
  words: number[];
  unit: number[];
  signs: number[];
  ints_mod_7: number[];
  pick_4_of_9: number[];
  image_1x1x8x16_first12: number[];
}

const golden = readGolden<GeneratorGolden>('generator');

test('words and units', () => {
  expect(golden.words.map((_, i) => word(golden.name, i))).toEqual(golden.words);
  const units = golden.unit.map((_, i) => unit(golden.name, i));
  expect(relativeError(units, golden.unit)).toBeLessThan(1e-8);
});

test('signs, integers and picks', () => {
  expect([...signs(golden.name, [golden.signs.length])]).toEqual(golden.signs);
  expect([...ints(golden.name, golden.ints_mod_7.length, 7)]).toEqual(golden.ints_mod_7);
  expect([...pick(golden.name, 9, 4)]).toEqual(golden.pick_4_of_9);
});

test('pictures', () => {
  const first = image(golden.name, [1, 1, 8, 16]).subarray(0, golden.image_1x1x8x16_first12.length);
  expect(relativeError(first, golden.image_1x1x8x16_first12)).toBeLessThan(1e-7);
});
