import { closeSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { openSharedMemory, SharedReader, SharedWriter } from '../../src/transport/shared-memory.js';

const descriptors: number[] = [];
const open = () => {
  const descriptor = openSharedMemory()!;
  descriptors.push(descriptor);
  return descriptor;
};
afterEach(() => {
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
});

const hasMemory = process.platform === 'linux';
const bytes = (length: number, seed: number) =>
  new Uint8Array(length).map((_, at) => (at * 31 + seed * 7) & 255);

describe.skipIf(!hasMemory)('shared memory', () => {
  const ends = () => {
    const descriptor = open();
    return { writer: new SharedWriter(descriptor), reader: new SharedReader(descriptor) };
  };

  test('has no name that another process could open', () => {
    const before = readdirSync('/dev/shm').filter((name) => name.startsWith('fcaenet-'));
    open();
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith('fcaenet-'))).toEqual(before);
  });

  test('is not there on a machine without memory files', () => {
    expect(openSharedMemory('/nowhere')).toBeNull();
  });

  test.each([[[0]], [[1]], [[4096, 3]], [[(1 << 20) + 5, 1, 2 << 20]]])(
    'carries a transfer of parts of %j bytes',
    (lengths) => {
      const { writer, reader } = ends();
      const parts = lengths.map(bytes);
      const whole = Buffer.concat(parts);
      const offset = writer.put(7, parts, {})!;
      expect(offset).toBeGreaterThan(0);
      const read = new Uint8Array(whole.byteLength);
      reader.read(7, offset, read);
      expect(Buffer.compare(read, whole)).toBe(0);
    },
  );

  test('holds one transfer for several readers, until the last has taken it', () => {
    const { writer, reader } = ends();
    const [first, second] = [{}, {}];
    const offset = writer.put(1, [bytes(9, 1)], first)!;
    expect(writer.put(1, [bytes(9, 1)], second)).toBe(offset);
    writer.taken(1, first);
    expect(writer.put(2, [bytes(9, 2)], first)).not.toBe(offset);
    const read = new Uint8Array(9);
    reader.read(1, offset, read);
    expect(read).toEqual(bytes(9, 1));
    writer.taken(1, second);
    expect(writer.put(3, [bytes(9, 3)], first)).toBe(offset);
  });

  test('what a reader that is gone held is used again', () => {
    const { writer } = ends();
    const [gone, other] = [{}, {}];
    const offset = writer.put(1, [bytes(9, 1)], gone);
    writer.drop(gone);
    expect(writer.put(2, [bytes(9, 2)], other)).toBe(offset);
  });

  test('gives no place to a fifth transfer while four are held', () => {
    const { writer } = ends();
    const holder = {};
    const offsets = [1, 2, 3, 4].map((transfer) => writer.put(transfer, [bytes(9, transfer)], holder));
    expect(new Set(offsets).size).toBe(4);
    expect(writer.put(5, [bytes(9, 5)], holder)).toBeNull();
    writer.taken(3, holder);
    expect(writer.put(5, [bytes(9, 5)], holder)).toBe(offsets[2]);
  });

  test('has places for large transfers while small ones hold theirs', () => {
    const { writer, reader } = ends();
    const holder = {};
    const small = [1, 2, 3, 4].map((transfer) => writer.put(transfer, [bytes(9, transfer)], holder));
    const large = bytes(3 << 20, 5);
    const offset = writer.put(5, [large], holder)!;
    expect(small).not.toContain(offset);
    const read = new Uint8Array(large.byteLength);
    reader.read(5, offset, read);
    expect(Buffer.compare(read, large)).toBe(0);
    reader.read(4, small[3]!, read.subarray(0, 9));
    expect(read.subarray(0, 9)).toEqual(bytes(9, 4));
  });

  test.each([
    ['another transfer', 2, 0, 9],
    ['another length', 1, 0, 10],
    ['another place', 1, 8, 9],
    ['a place beyond its end', 1, 1 << 30, 9],
  ])('refuses to be read as %s', (_, transfer, further, length) => {
    const { writer, reader } = ends();
    const offset = writer.put(1, [bytes(9, 1)], {})!;
    expect(() => reader.read(transfer, offset + further, new Uint8Array(length))).toThrow(
      `transfer ${transfer} of ${length} bytes is not at byte ${offset + further} of the shared memory, where it was announced`,
    );
  });

  test('that takes no more gives no place, says so once, and goes on with what it has', () => {
    let times = 0;
    const writer = new SharedWriter(open(), () => times++);
    const holder = {};
    const offset = writer.put(1, [bytes(9, 1)], holder);
    // More than any machine has, claimed by a part that is never looked into.
    const endless = { byteLength: 2 ** 60 } as Uint8Array;
    expect(writer.put(2, [endless], holder)).toBeNull();
    expect(writer.put(3, [bytes(9, 3)], holder)).toBeNull();
    expect(times).toBe(1);
    writer.taken(1, holder);
    expect(writer.put(4, [bytes(9, 4)], holder)).toBe(offset);
  });
});
