/**
 * The part of WebAssembly's binary format that hand-written kernels need. They gain over a loop of typed-array accesses
 * because they have no bounds checks and use vector instructions.
 */

/** The used part of the JavaScript interface. TypeScript only declares it with the browser's types. */
interface WebAssemblyInterface {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
}

const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface }).WebAssembly;

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const more = rest > 127;
    bytes.push((rest & 127) | (more ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128 of a non-negative number. */
function signed(value: number): number[] {
  const bytes = unsigned(value);
  if (bytes.at(-1)! & 64) {
    bytes[bytes.length - 1]! |= 128;
    bytes.push(0);
  }
  return bytes;
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  return [...unsigned(text.length), ...Buffer.from(text, 'latin1')];
}

export const i32 = 0x7f;
export const f32 = 0x7d;
export const v128 = 0x7b;

/** Instructions as bytes. */
export const op = {
  loop: [0x03, 0x40],
  block: [0x02, 0x40],
  /** Runs up to its `end` if the operand is not 0. */
  if: [0x04, 0x40],
  end: [0x0b],
  branch: (depth: number) => [0x0c, depth],
  branchIf: (depth: number) => [0x0d, depth],
  get: (local: number) => [0x20, ...unsigned(local)],
  set: (local: number) => [0x21, ...unsigned(local)],
  tee: (local: number) => [0x22, ...unsigned(local)],
  constant: (value: number) => [0x41, ...signed(value)],
  load32: (offset: number) => [0x28, 2, ...unsigned(offset)],
  load8: (offset: number) => [0x2d, 0, ...unsigned(offset)],
  store32: (offset: number) => [0x36, 2, ...unsigned(offset)],
  equal: [0x46],
  lessUnsigned: [0x49],
  greaterUnsigned: [0x4b],
  notLessUnsigned: [0x4f],
  add: [0x6a],
  and: [0x71],
  or: [0x72],
  shiftLeft: [0x74],
  shiftRight: [0x76],
  loadDouble: (offset: number) => [0x2b, 3, ...unsigned(offset)],
  zeroDouble: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
  notLessDouble: [0x66],
  addDouble: [0xa0],
  subtractDouble: [0xa1],
  loadVector: (offset: number) => [0xfd, 0x00, 4, ...unsigned(offset)],
  splatByte: (offset: number) => [0xfd, 0x07, 0, ...unsigned(offset)],
  storeVector: (offset: number) => [0xfd, 0x0b, 4, ...unsigned(offset)],
  xorVector: [0xfd, 0x51],
  popcountBytes: [0xfd, 0x62],
  addBytes: [0xfd, 0x6e],
  /** The low byte of an integer in all lanes. */
  splatLowByte: [0xfd, 0x0f],
  lessUnsignedBytes: [0xfd, 0x26],
  /** 1 if any bit is 1, else 0. */
  anyBit: [0xfd, 0x53],
  /** Loads four unsigned 16-bit numbers, each into a lane of 32 bits. */
  loadHalves: (offset: number) => [0xfd, 0x04, 3, ...unsigned(offset)],
  /** Stores the lower 64 bits. */
  storeLowerVector: (offset: number) => [0xfd, 0x5b, 3, ...unsigned(offset), 0],
  splatInteger: [0xfd, 0x11],
  andVector: [0xfd, 0x4e],
  orVector: [0xfd, 0x50],
  /** Of the first operand where the third has a 1, else of the second. */
  selectBits: [0xfd, 0x52],
  /** The lanes of both operands as unsigned 16-bit numbers; a larger lane becomes 65535, a negative one 0. */
  narrowIntegers: [0xfd, 0x86, 0x01],
  shiftLeftIntegers: [0xfd, 0xab, 0x01],
  shiftRightIntegers: [0xfd, 0xad, 0x01],
  addIntegers: [0xfd, 0xae, 0x01],
  splatFloat: [0xfd, 0x13],
  notEqualFloats: [0xfd, 0x42],
  addFloats: [0xfd, 0xe4, 0x01],
  subtractFloats: [0xfd, 0xe5, 0x01],
  multiplyFloats: [0xfd, 0xe6, 0x01],
} as const;

/** A function without results: the types of its parameters and locals, and its instructions. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly locals: readonly number[];
  readonly body: readonly (readonly number[])[];
}

/** Compiles functions that share one memory of `memoryBytes`, rounded up to whole pages, and exports them by name. */
export function instantiate(
  functions: readonly WasmFunction[],
  memoryBytes: number,
): { memory: ArrayBuffer; call: Record<string, (...values: number[]) => void> } {
  const pages = Math.ceil(memoryBytes / 65536);
  const types = functions.map(({ parameters }) => [0x60, ...vector(parameters.map((type) => [type])), 0]);
  const exports = functions.map((fn, index) => [...name(fn.name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => {
    const code = [...vector(locals.map((type) => [1, type])), ...body.flat(), ...op.end];
    return [...unsigned(code.length), ...code];
  });
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(7, vector([...exports, [...name('memory'), 2, 0]])),
    ...section(10, vector(bodies)),
  ]);
  const { memory, ...call } = new Instance(new Module(bytes)).exports;
  return {
    memory: (memory as { buffer: ArrayBuffer }).buffer,
    call: call as Record<string, (...values: number[]) => void>,
  };
}
