import { f32, i32, instantiate, op, v128, type WasmFunction } from './module.js';

/**
 * Floats of a vector that are computed at a time. Few enough that the blocks of three vectors stay in the near caches,
 * so that copying adds no memory traffic. Many enough that the fixed cost of a copy does not matter.
 */
const blockFloats = 8192;
const blockBytes = 4 * blockFloats;
/**
 * Address of a vector's block. Large arrays start a few bytes after a multiple of 4 KiB. Copying them to exactly such a
 * multiple takes four times as long, because the processor mistakes each load for the preceding store.
 */
const blockAddress = (vector: number) => 2048 + vector * (blockBytes + 1024);
/** Groups of four floats per loop iteration. */
const unrolled = 4;
const turnBytes = 16 * unrolled;

/** Instructions. */
export type Code = readonly (readonly number[])[];

/** A vector that operations compute on: of floats, or of 16-bit numbers where an operation loads or stores halves. */
export type BlockVector = Float32Array | Uint16Array;

/** How an operation's instructions access their operands. */
export interface BlockOperands {
  /** Pushes four floats of a vector. */
  load(vector: number): Code;
  /** Pops four floats into a vector, from the instructions that push them. */
  store(vector: number, value: Code): Code;
  /** Pushes four unsigned 16-bit numbers of a vector, each in a lane of 32 bits. */
  loadHalves(vector: number): Code;
  /** Pops four lanes of 32 bits into a vector of 16-bit numbers; each lane is from 0 to 65535. */
  storeHalves(vector: number, value: Code): Code;
  /** Pushes a parameter into all four lanes. */
  scalar(index: number): Code;
  /** Pops four lanes, keeps them until the next four elements, and pushes them again. */
  keep(value: Code): Code;
  /** Pushes what was kept last. */
  readonly kept: Code;
}

/** An operation on four elements of each vector. */
export interface BlockOperation {
  readonly name: string;
  /** Number of float32 parameters. */
  readonly scalars: number;
  body(operands: BlockOperands): Code;
}

interface OpenedBlocks {
  readonly blocks: readonly Float32Array[];
  /** The same memory as 16-bit numbers: the first half of each block. */
  readonly halves: readonly Uint16Array[];
  readonly call: Record<string, (...values: number[]) => void>;
}

function openBlocks(vectors: number, operations: readonly BlockOperation[]): OpenedBlocks {
  const { memory, call } = instantiate(operations.map(functionOf), blockAddress(vectors));
  const addresses = Array.from({ length: vectors }, (_, vector) => blockAddress(vector));
  return {
    blocks: addresses.map((address) => new Float32Array(memory, address, blockFloats)),
    halves: addresses.map((address) => new Uint16Array(memory, address, blockFloats)),
    call,
  };
}

/**
 * Operations on vectors of any length with WebAssembly's vector instructions. Each instruction rounds once and
 * none is fused, so the results of float32 operations equal those in `Math.fround`, bit for bit, on every machine.
 */
export class FloatBlocks {
  /** Null until the first operation: a memory takes 10 GiB of address space. */
  private opened: OpenedBlocks | null = null;

  /** @param vectors number of vectors that the operations use */
  constructor(
    private readonly vectors: number,
    private readonly operations: readonly BlockOperation[],
  ) {}

  /** The block of each vector. Values that a call does not overwrite stay until the next call. */
  get blocks(): readonly Float32Array[] {
    return this.open().blocks;
  }

  /**
   * @param vectors the first vectors of the operation, of equal length
   * @param results those that it changes; their values are written back
   * @param scalars its parameters, rounded to float32 here
   * @param into where the results are written instead, by the place of their vector
   */
  run(
    name: string,
    vectors: readonly BlockVector[],
    results: readonly number[],
    scalars: readonly number[],
    into: readonly BlockVector[] = vectors,
  ): void {
    const opened = this.open();
    const operation = opened.call[name]!;
    const { length } = vectors[0]!;
    const blocks = vectors.map((vector, index) =>
      vector instanceof Uint16Array ? opened.halves[index]! : opened.blocks[index]!,
    );
    for (let start = 0; start < length; start += blockFloats) {
      const end = Math.min(start + blockFloats, length);
      const count = end - start;
      vectors.forEach((vector, index) => {
        const block = blocks[index]!;
        block.set(vector.subarray(start, end));
        if (count < blockFloats) block.fill(0, count);
      });
      operation(Math.ceil((4 * count) / turnBytes) * turnBytes, ...scalars);
      for (const index of results) into[index]!.set(blocks[index]!.subarray(0, count), start);
    }
  }

  private open(): OpenedBlocks {
    this.opened ??= openBlocks(this.vectors, this.operations);
    return this.opened;
  }
}

/** The loop over one block; its first parameter is the block's length in bytes. */
function functionOf({ name, scalars, body }: BlockOperation): WasmFunction {
  const bytes = 0;
  const place = scalars + 1;
  const splat = (index: number) => place + 1 + index;
  const kept = splat(scalars);
  const parameters = Array.from({ length: scalars }, (_, index) => index);
  const halfPlace = [op.get(place), op.constant(1), op.shiftRight];
  const operands = (turn: number): BlockOperands => ({
    load: (vector) => [op.get(place), op.loadVector(blockAddress(vector) + 16 * turn)],
    store: (vector, value) => [op.get(place), ...value, op.storeVector(blockAddress(vector) + 16 * turn)],
    loadHalves: (vector) => [...halfPlace, op.loadHalves(blockAddress(vector) + 8 * turn)],
    storeHalves: (vector, value) => [
      ...halfPlace,
      // The upper lanes are not stored, so the second operand may be any vector.
      ...[...value, op.get(kept), op.narrowIntegers],
      op.storeLowerVector(blockAddress(vector) + 8 * turn),
    ],
    scalar: (index) => [op.get(splat(index))],
    keep: (value) => [...value, op.tee(kept)],
    kept: [op.get(kept)],
  });
  return {
    name,
    parameters: [i32, ...parameters.map(() => f32)],
    locals: [i32, ...parameters.map(() => v128), v128],
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
