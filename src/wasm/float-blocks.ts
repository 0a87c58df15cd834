import { f32, i32, instantiate, op, v128, type WasmFunction } from './module.js';

/**
 * Floats of a vector that are computed on at a time: few enough for the blocks of three vectors to stay in the
 * processor's near caches, so that copying them in and out adds no traffic to the memory, and enough for the fixed cost
 * of the copies not to count.
 */
const blockFloats = 8192;
const blockBytes = 4 * blockFloats;
/**
 * Where the block of a vector lies. Large arrays begin a few bytes behind a multiple of 4 KiB; copying to them from the
 * multiple itself takes four times as long, because the processor mistakes each load for the store just before it.
 */
const blockAddress = (vector: number) => 2048 + vector * (blockBytes + 1024);
/** Groups of four floats in one turn of the loop. */
const unrolled = 4;
const turnBytes = 16 * unrolled;

type Code = readonly (readonly number[])[];

/** Where the instructions of an operation find their operands. */
export interface BlockOperands {
  /** Pushes four floats of a vector. */
  load(vector: number): Code;
  /** Pops four floats into a vector, from the instructions that push them. */
  store(vector: number, value: Code): Code;
  /** Pushes a parameter four times over. */
  scalar(index: number): Code;
}

/** An operation on four floats of each vector, written once for all of them. */
export interface BlockOperation {
  readonly name: string;
  /** Number of float32 parameters. */
  readonly scalars: number;
  body(operands: BlockOperands): Code;
}

/**
 * Float32 operations on vectors of any length with WebAssembly's vector instructions. Each of those rounds once and none
 * is fused, so the results are those of the same operations in `Math.fround`, to the bit, on every machine.
 */
export class FloatBlocks {
  /** The block of each vector; what no call copies into it stays from call to call. */
  readonly blocks: readonly Float32Array[];
  private readonly call: Record<string, (...values: number[]) => void>;

  /** @param vectors how many the operations name */
  constructor(vectors: number, operations: readonly BlockOperation[]) {
    const { memory, call } = instantiate(operations.map(functionOf), blockAddress(vectors));
    this.call = call;
    this.blocks = Array.from(
      { length: vectors },
      (_, vector) => new Float32Array(memory, blockAddress(vector), blockFloats),
    );
  }

  /**
   * @param vectors the first ones that the operation names, of equal length
   * @param results which of them it changes; their values are written back
   * @param scalars its parameters, rounded to float32 here
   */
  run(
    name: string,
    vectors: readonly Float32Array[],
    results: readonly number[],
    scalars: readonly number[],
  ): void {
    const operation = this.call[name]!;
    const { length } = vectors[0]!;
    for (let start = 0; start < length; start += blockFloats) {
      const end = Math.min(start + blockFloats, length);
      const count = end - start;
      vectors.forEach((vector, index) => {
        const block = this.blocks[index]!;
        block.set(vector.subarray(start, end));
        if (count < blockFloats) block.fill(0, count);
      });
      operation(Math.ceil((4 * count) / turnBytes) * turnBytes, ...scalars);
      for (const index of results) vectors[index]!.set(this.blocks[index]!.subarray(0, count), start);
    }
  }
}

/** The loop over one block; its first parameter is the block's length in bytes. */
function functionOf({ name, scalars, body }: BlockOperation): WasmFunction {
  const bytes = 0;
  const place = scalars + 1;
  const splat = (index: number) => place + 1 + index;
  const parameters = Array.from({ length: scalars }, (_, index) => index);
  const operands = (turn: number): BlockOperands => ({
    load: (vector) => [op.get(place), op.loadVector(blockAddress(vector) + 16 * turn)],
    store: (vector, value) => [op.get(place), ...value, op.storeVector(blockAddress(vector) + 16 * turn)],
    scalar: (index) => [op.get(splat(index))],
  });
  return {
    name,
    parameters: [i32, ...parameters.map(() => f32)],
    locals: [i32, ...parameters.map(() => v128)],
    body: [
      ...parameters.flatMap((index) => [op.get(index + 1), op.splatFloat, op.set(splat(index))]),
      op.loop,
      ...Array.from({ length: unrolled }, (_, turn) => body(operands(turn))).flat(),
      ...[op.get(place), op.constant(turnBytes), op.add, op.tee(place)],
      ...[op.get(bytes), op.lessUnsigned, op.branchIf(0)],
      op.end,
    ],
  };
}
