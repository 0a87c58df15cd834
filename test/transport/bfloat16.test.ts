import { expect, test } from 'vitest';
import { narrow } from '../../src/transport/narrow.js';
import { widen } from '../../src/transport/widen.js';
import { nearestBfloat16, valueOfBfloat16 } from '../kit/bfloat16.js';

function narrowed(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  narrow(values, halves);
  return halves;
}

/** Every bfloat16 number: zeros, subnormals, numbers, infinities and NaNs of both signs. */
const everyHalf = Uint16Array.from({ length: 2 ** 16 }, (_, half) => half);
const isNaNHalf = (half: number) => (half & 0x7fff) > 0x7f80;

test.each([0x7fff, 0x8000, 0x8001])(
  'behind every upper half, the lower half %i is rounded to the nearest number, a tie to the even one',
  (lower) => {
    const values = new Float32Array(Uint32Array.from(everyHalf, (half) => half * 2 ** 16 + lower).buffer);
    const halves = narrowed(values);
    const wrong = everyHalf.filter(
      (half) => !Number.isNaN(values[half]) && halves[half] !== nearestBfloat16(values[half]!),
    );
    expect([...wrong]).toEqual([]);
    const lostNaNs = everyHalf.filter((half) => Number.isNaN(values[half]) && !isNaNHalf(halves[half]!));
    expect([...lostNaNs]).toEqual([]);
  },
);

test.each([
  ['a tie between an odd and an even number', 0x3f81_8000, 0x3f82],
  ['a tie between an even and an odd number', 0x3f80_8000, 0x3f80],
  ['−0', 0x8000_0000, 0x8000],
  ['the smallest subnormal', 0x0000_0001, 0x0000],
  ['just above half of the smallest subnormal that stays', 0x8000_8001, 0x8001],
  ['the largest number that is not rounded to infinity', 0x7f7f_7fff, 0x7f7f],
  ['the smallest that is', 0xff7f_8000, 0xff80],
  ['infinity', 0x7f80_0000, 0x7f80],
  ['a NaN with nothing but the lowest bit', 0x7f80_0001, 0x7fc0],
  ['a NaN whose rounding would overflow', 0xffff_ffff, 0xffff],
])('%s', (_, bits, half) => {
  expect(narrowed(new Float32Array(Uint32Array.of(bits).buffer))[0]!.toString(16)).toBe(half.toString(16));
});

test('every bfloat16 number is widened to the float32 number with its bits, and narrowed to itself again', () => {
  const values = new Float32Array(everyHalf.length);
  widen(everyHalf, values);
  const numbers = everyHalf.filter((half) => !isNaNHalf(half));
  expect([...numbers.filter((half) => !Object.is(values[half], valueOfBfloat16(half)))]).toEqual([]);
  expect([...everyHalf.filter((half) => Number.isNaN(values[half]) !== isNaNHalf(half))]).toEqual([]);
  const again = narrowed(values);
  expect([...numbers.filter((half) => again[half] !== half)]).toEqual([]);
});

test('a range of a vector is converted, and nothing beside it', () => {
  const length = 20_000;
  const values = Float32Array.from({ length }, (_, index) => Math.sin(index));
  for (const [start, end] of [
    [0, 0],
    [1, 2],
    [3, 20],
    [5, 8197],
    [8191, length],
  ] as const) {
    const halves = new Uint16Array(length).fill(7);
    narrow(values.subarray(start, end), halves.subarray(start, end));
    const isInside = (index: number) => index >= start && index < end;
    expect(
      halves.findIndex((half, index) => half !== (isInside(index) ? nearestBfloat16(values[index]!) : 7)),
    ).toBe(-1);
    const floats = new Float32Array(length).fill(7);
    widen(halves.subarray(start, end), floats.subarray(start, end));
    expect(
      floats.findIndex((value, index) => value !== (isInside(index) ? valueOfBfloat16(halves[index]!) : 7)),
    ).toBe(-1);
  }
});
