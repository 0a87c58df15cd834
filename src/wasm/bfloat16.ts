import type { BlockOperands, Code } from './float-blocks.js';
import { op } from './module.js';

/** A bfloat16 number is the upper half of a float32 number. */
const halfBits = 16;
/** Half of the last place that stays, less one; with the last bit that stays it rounds a tie to even. */
const belowHalf = 0x7fff;
/** Makes a NaN quiet. Without it, a NaN that has only lower bits would become an infinity. */
const quietBit = 0x40_0000;

/** Pushes four bfloat16 numbers of a vector as floats. */
export function loadBfloat16(operands: BlockOperands, vector: number): Code {
  return [...operands.loadHalves(vector), op.constant(halfBits), op.shiftLeftIntegers];
}

/**
 * Pops four floats into a vector of bfloat16 numbers: rounded to nearest, ties to even. What lies beyond the largest
 * number becomes an infinity, a NaN stays one.
 */
export function storeBfloat16(operands: BlockOperands, vector: number, value: Code): Code {
  const { keep, kept } = operands;
  const quiet = [...keep(value), op.constant(quietBit), op.splatInteger, op.orVector];
  const lastBit = [
    ...[...kept, op.constant(halfBits), op.shiftRightIntegers],
    ...[op.constant(1), op.splatInteger, op.andVector],
  ];
  const rounded = [
    ...[...kept, ...lastBit, op.addIntegers],
    ...[op.constant(belowHalf), op.splatInteger, op.addIntegers],
  ];
  const nanLanes = [...kept, ...kept, op.notEqualFloats];
  return operands.storeHalves(vector, [
    ...[...quiet, ...rounded, ...nanLanes, op.selectBits],
    ...[op.constant(halfBits), op.shiftRightIntegers],
  ]);
}
