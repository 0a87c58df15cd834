import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { philox4x32 } from '../../src/data/philox.js';
import { KeyedRandom, Purpose } from '../../src/data/random.js';

describe('Philox4x32-10 equals the known answers of Random123', () => {
  test.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ])('counter %j key %j', (counter, key, expected) => {
    const block = new Uint32Array(4);
    philox4x32(counter[0]!, counter[1]!, counter[2]!, counter[3]!, key[0]!, key[1]!, block);
    expect([...block].map((word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(expected);
  });
});

describe('KeyedRandom', () => {
  test('the key is the seed, the counter is (index, iteration, epoch, purpose)', () => {
    const expected = new Uint32Array(4);
    philox4x32(11, 7, 5, Purpose.positive, 3, 2, expected);
    expect(new KeyedRandom(2 * 2 ** 32 + 3).word(Purpose.positive, 7, 5, 11)).toBe(expected[0]);
  });

  test.each([-1, 0.5, 2 ** 53, Number.NaN])('refuses the seed %s', (seed) => {
    expect(() => new KeyedRandom(seed)).toThrow(RangeError);
  });

  test('units are uniform: 64,000 of them fill 64 cells within five standard deviations', () => {
    const random = new KeyedRandom(1);
    const cells = new Array<number>(64).fill(0);
    for (let index = 0; index < 64_000; index += 1) {
      cells[Math.floor(random.unit(Purpose.probe, 0, 0, index) * 64)]! += 1;
    }
    for (const count of cells) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  test('a permutation holds distinct numbers below its size, the same each time', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(1000), fc.nat(10), (size, seed, iteration) => {
        const count = Math.floor(size / 2);
        const draw = () => new KeyedRandom(seed).permutation(size, count, Purpose.omega, iteration, 0);
        const drawn = draw();
        expect(drawn).toEqual(draw());
        expect(new Set(drawn).size).toBe(count);
        expect(drawn.every((item) => item >= 0 && item < size)).toBe(true);
      }),
    );
  });
});
