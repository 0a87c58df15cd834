import { i32, instantiate, op, v128, type WasmFunction } from '../wasm/module.js';

/** Room for the counts of distances 0..64, one table for each of four interleaved items. */
const histogramStride = 512;
const queryOffset = 0;
const histogramOffset = 64;
const planesOffset = histogramOffset + 4 * histogramStride;

/** Distances and counts of one query against a database, in WebAssembly. */
export interface HammingKernel {
  /** The query's bytes `[bytes]`; set before each call. */
  readonly query: Uint8Array;
  /** Byte b of item i at `b * stride + i`; set once. */
  readonly planes: Uint8Array;
  readonly stride: number;
  /** Ascending database indices of the relevant items `[relevantCapacity]`; set before each call. */
  readonly relevant: Int32Array;
  /** Distance of every database item `[stride]`, after a call. */
  readonly distances: Uint8Array;
  /** For each relevant item: how many items of the same distance have a smaller index, after a call. */
  readonly earlier: Int32Array;
  /** Four partial counts of each distance: `[4, histogramStride / 4]`, after a call. */
  readonly partialCounts: Int32Array;
  run(relevantCount: number): void;
}

/** Entries between the four partial counts. */
export const partialCountStride = histogramStride / 4;

/**
 * Builds the kernel for `size` codes of `bytes` bytes (1..8). Compares sixteen items at a time: their bytes are
 * contiguous, so an exclusive or, a bytewise popcount and an addition per code byte give sixteen distances.
 */
export function createHammingKernel(size: number, bytes: number, relevantCapacity: number): HammingKernel {
  const stride = (size + 15) & ~15;
  const distances = planesOffset + bytes * stride;
  const relevant = distances + stride;
  const earlier = relevant + 4 * relevantCapacity;
  const functions = [measure(bytes, stride, distances), count(size, distances, relevant, earlier)];
  const { memory, call } = instantiate(functions, earlier + 4 * relevantCapacity);
  const partialCounts = new Int32Array(memory, histogramOffset, 4 * partialCountStride);
  return {
    query: new Uint8Array(memory, queryOffset, bytes),
    planes: new Uint8Array(memory, planesOffset, bytes * stride),
    stride,
    relevant: new Int32Array(memory, relevant, relevantCapacity),
    distances: new Uint8Array(memory, distances, stride),
    earlier: new Int32Array(memory, earlier, relevantCapacity),
    partialCounts,
    run(relevantCount) {
      partialCounts.fill(0);
      call.measure!();
      call.count!(relevantCount);
    },
  };
}

/** distances[i] = Σ_b popcount(planes[b][i] ^ query[b]), sixteen i at a time. */
function measure(bytes: number, stride: number, distances: number): WasmFunction {
  const [item, firstQuery] = [0, 1];
  const indices = Array.from({ length: bytes }, (_, b) => b);
  return {
    name: 'measure',
    parameters: [],
    locals: [i32, ...indices.map(() => v128)],
    body: [
      ...indices.flatMap((b) => [op.constant(queryOffset), op.splatByte(b), op.set(firstQuery + b)]),
      op.loop,
      op.get(item),
      ...indices.flatMap((b) => [
        op.get(item),
        op.loadVector(planesOffset + b * stride),
        op.get(firstQuery + b),
        op.xorVector,
        op.popcountBytes,
        ...(b > 0 ? [op.addBytes] : []),
      ]),
      op.storeVector(distances),
      op.get(item),
      op.constant(16),
      op.add,
      op.tee(item),
      op.constant(stride),
      op.lessUnsigned,
      op.branchIf(0),
      op.end,
    ],
  };
}

/**
 * Counts the distances of all items in order. At each relevant item it stores how many earlier items have the same
 * distance. Adjacent items use four different tables, because an increment has to wait for an earlier increment of the
 * same entry.
 */
function count(size: number, distances: number, relevant: number, earlier: number): WasmFunction {
  const [relevantCount, item, end, position, entry] = [0, 1, 2, 3, 4];
  const increment = (lane: number) => [
    ...[op.get(item), op.load8(distances + lane), op.constant(2), op.shiftLeft, op.tee(entry)],
    ...[op.get(entry), op.load32(histogramOffset + lane * histogramStride), op.constant(1), op.add],
    op.store32(histogramOffset + lane * histogramStride),
  ];
  const advance = (step: number) => [op.get(item), op.constant(step), op.add, op.set(item)];
  const relevantAddress = [op.get(position), op.constant(2), op.shiftLeft];
  return {
    name: 'count',
    parameters: [i32],
    locals: [i32, i32, i32, i32],
    body: [
      op.block,
      op.loop,
      // end = position < relevantCount ? relevant[position] : size
      op.constant(size),
      op.set(end),
      op.block,
      ...[op.get(position), op.get(relevantCount), op.notLessUnsigned, op.branchIf(0)],
      ...[...relevantAddress, op.load32(relevant), op.set(end)],
      op.end,
      // four at a time, while item + 4 <= end
      op.block,
      op.loop,
      ...[op.get(item), op.constant(4), op.add, op.get(end), op.greaterUnsigned, op.branchIf(1)],
      ...[0, 1, 2, 3].flatMap(increment),
      ...advance(4),
      op.branch(0),
      op.end,
      op.end,
      // the rest one by one
      op.block,
      op.loop,
      ...[op.get(item), op.get(end), op.equal, op.branchIf(1)],
      ...increment(0),
      ...advance(1),
      op.branch(0),
      op.end,
      op.end,
      ...[op.get(position), op.get(relevantCount), op.equal, op.branchIf(1)],
      // earlier[position] = the four counts of this item's distance
      ...relevantAddress,
      ...[op.get(item), op.load8(distances), op.constant(2), op.shiftLeft, op.set(entry)],
      ...[0, 1, 2, 3].flatMap((lane) => [
        op.get(entry),
        op.load32(histogramOffset + lane * histogramStride),
        ...(lane > 0 ? [op.add] : []),
      ]),
      op.store32(earlier),
      ...[op.get(position), op.constant(1), op.add, op.set(position)],
      op.branch(0),
      op.end,
      op.end,
    ],
  };
}
