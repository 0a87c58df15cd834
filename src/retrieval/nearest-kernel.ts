import { i32, instantiate, op, v128, type WasmFunction } from '../wasm/module.js';

/** Codes that are compared at once. */
export const groupSize = 16;
/** Groups that are found before the caller hears of them and can lower the bound. */
const mostHits = 64;

const queryOffset = 0;
const nextOffset = 64;
const hitsOffset = 80;
const positionsOffset = 96;
const distancesOffset = positionsOffset + 4 * mostHits;
const codesOffset = distancesOffset + groupSize * mostHits;

/** Bytes that a WebAssembly memory may have: 65,535 pages of 64 KiB. */
const mostMemoryBytes = 65_535 * 65_536;

/** The most codes of `bytes` bytes that fit into the memory of one kernel. */
export function mostCodes(bytes: number): number {
  return Math.floor((mostMemoryBytes - codesOffset) / (bytes * groupSize)) * groupSize;
}

/** Searches codes for those closer than a bound, in WebAssembly. */
export interface NearestKernel {
  /** The query's bytes `[bytes]`; set before each scan. */
  readonly query: Uint8Array;
  /** Byte b of code i at `(⌊i / 16⌋ * bytes + b) * 16 + i % 16`; set once. */
  readonly codes: Uint8Array;
  /** Bytes of the kernel's memory. */
  readonly memoryBytes: number;
  /** The group where the last scan stopped; the number of groups when it reached the end. */
  readonly next: number;
  /** Number of groups that the last scan found. */
  readonly hits: number;
  /** The groups that it found, ascending `[hits]` */
  group(hit: number): number;
  /** Distances of their codes `[hits, 16]` */
  readonly distances: Uint8Array;
  /** Looks from a group on for groups with a code closer than `bound`, until there are 64, or no more. */
  scan(firstGroup: number, bound: number): void;
}

/**
 * Builds the kernel for `size` codes of `bytes` bytes (1..8). The bytes of sixteen codes lie beside each other, so an
 * exclusive or, a bytewise popcount and an addition per byte give sixteen distances, and the memory is read once, from
 * front to back.
 */
export function createNearestKernel(size: number, bytes: number): NearestKernel {
  const groups = Math.ceil(size / groupSize);
  const groupBytes = bytes * groupSize;
  const memoryBytes = codesOffset + groups * groupBytes;
  const { memory, call } = instantiate([scan(bytes)], memoryBytes);
  const view = new Uint32Array(memory, 0, codesOffset / 4);
  const end = codesOffset + groups * groupBytes;
  const groupAt = (address: number) => (address - codesOffset) / groupBytes;
  return {
    query: new Uint8Array(memory, queryOffset, bytes),
    codes: new Uint8Array(memory, codesOffset, groups * groupBytes),
    memoryBytes: memory.byteLength,
    distances: new Uint8Array(memory, distancesOffset, groupSize * mostHits),
    get next() {
      return groupAt(view[nextOffset / 4]!);
    },
    get hits() {
      return view[hitsOffset / 4]!;
    },
    group: (hit) => groupAt(view[positionsOffset / 4 + hit]!),
    scan(firstGroup, bound) {
      view[hitsOffset / 4] = 0;
      view[nextOffset / 4] = end;
      const first = codesOffset + firstGroup * groupBytes;
      if (first < end) call.scan!(first, end, bound);
    },
  };
}

/** Distances of sixteen codes at a time; stores them, and the address of their group, where one is less than `bound`. */
function scan(bytes: number): WasmFunction {
  const [address, end, bound, hits] = [0, 1, 2, 3];
  const [distances, bounds, firstQuery] = [4, 5, 6];
  const indices = Array.from({ length: bytes }, (_, b) => b);
  const ofHit = (sizeBits: number) => [op.get(hits), op.constant(sizeBits), op.shiftLeft];
  return {
    name: 'scan',
    parameters: [i32, i32, i32],
    locals: [i32, v128, v128, ...indices.map(() => v128)],
    body: [
      ...indices.flatMap((b) => [op.constant(queryOffset), op.splatByte(b), op.set(firstQuery + b)]),
      ...[op.get(bound), op.splatLowByte, op.set(bounds)],
      op.block,
      op.loop,
      ...indices.flatMap((b) => [
        op.get(address),
        op.loadVector(b * groupSize),
        op.get(firstQuery + b),
        op.xorVector,
        op.popcountBytes,
        ...(b > 0 ? [op.addBytes] : []),
      ]),
      ...[op.tee(distances), op.get(bounds), op.lessUnsignedBytes, op.anyBit],
      op.if,
      ...[...ofHit(4), op.get(distances), op.storeVector(distancesOffset)],
      ...[...ofHit(2), op.get(address), op.store32(positionsOffset)],
      ...[op.get(hits), op.constant(1), op.add, op.tee(hits), op.constant(mostHits), op.equal],
      op.if,
      // The caller goes on behind this group.
      ...[op.constant(0), op.get(address), op.constant(bytes * groupSize), op.add, op.store32(nextOffset)],
      op.branch(3),
      op.end,
      op.end,
      ...[op.get(address), op.constant(bytes * groupSize), op.add, op.tee(address)],
      ...[op.get(end), op.lessUnsigned, op.branchIf(0)],
      op.end,
      op.end,
      ...[op.constant(0), op.get(hits), op.store32(hitsOffset)],
    ],
  };
}
