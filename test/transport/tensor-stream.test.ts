import { describe, expect, test } from 'vitest';
import { arrayFrom, byteLengthOf, bytesOf } from '../../src/transport/bytes.js';
import { TransportError } from '../../src/transport/error.js';
import { chunkBytes, chunksOf, TransferReceiver } from '../../src/transport/tensor-stream.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';

const exactly = (bytes: number) => ({ least: bytes, most: bytes });

function send(parts: Uint8Array[], mangle: (chunk: { offset: number; data: Buffer }) => object = (c) => c) {
  const receiver = new TransferReceiver(new TransferMemory({ arrays: 1 }));
  const received: Uint8Array[] = [];
  const byteLength = byteLengthOf(parts);
  receiver.begin({ id: 7, byteLength, sharedOffset: 0 }, exactly(byteLength), 'a tensor', (bytes) =>
    received.push(bytes),
  );
  for (const { offset, data } of chunksOf(7, parts)) {
    const chunk = { transfer: 7, offset: offset as number, data: data as Buffer };
    receiver.accept({ ...chunk, ...mangle(chunk) });
  }
  return received;
}

describe('a transfer', () => {
  test.each([[[0]], [[1]], [[chunkBytes]], [[chunkBytes + 1, 3, 2 * chunkBytes]]])(
    'of parts of %j bytes arrives whole and aligned',
    (lengths) => {
      const parts = lengths.map((length, i) => new Uint8Array(length).map((_, at) => (at * 31 + i) & 255));
      const [bytes, ...more] = send(parts);
      expect(more).toEqual([]);
      expect(bytes!.byteOffset).toBe(0);
      expect(Buffer.compare(bytes!, Buffer.concat(parts))).toBe(0);
    },
  );

  test('of numbers keeps them', () => {
    const numbers = Float32Array.of(0.1, -2.5, Number.MAX_VALUE, 1e-40);
    const [bytes] = send([bytesOf(numbers)]);
    expect(new Float32Array(bytes!.buffer)).toEqual(numbers);
  });

  test.each([
    ['runs past its end', { data: Buffer.alloc(20) }, /bytes 0 to 20 .* expected byte 0 of 10 next/],
    ['leaves a gap', { offset: 3 }, /bytes 3 to 13 .* expected byte 0 of 10 next/],
    ['is of another transfer', { transfer: 8 }, /names transfer 8, which is not open/],
  ])('is refused when a chunk %s', (_, change, message) => {
    expect(() => send([new Uint8Array(10)], () => change)).toThrow(message);
  });

  test('is refused by its announced length before anything is allocated', () => {
    const receiver = new TransferReceiver(new TransferMemory({ arrays: 1 }));
    expect(() =>
      receiver.begin(
        { id: 1, byteLength: 2 ** 40, sharedOffset: 0 },
        exactly(8),
        'a set of weights',
        () => {},
      ),
    ).toThrow('a set of weights announces 1099511627776 bytes, expected 8');
    expect(() => receiver.begin(null, exactly(8), 'a set of weights', () => {})).toThrow(TransportError);
  });

  test('is refused while another is open', () => {
    const receiver = new TransferReceiver(new TransferMemory({ arrays: 1 }));
    receiver.begin({ id: 1, byteLength: 8, sharedOffset: 0 }, exactly(8), 'a set of weights', () => {});
    expect(() =>
      receiver.begin({ id: 2, byteLength: 8, sharedOffset: 0 }, exactly(8), 'a set of weights', () => {}),
    ).toThrow('a set of weights was announced while 8 bytes of the previous transfer were missing');
  });
});

describe('an array from the wire', () => {
  test('is copied out of any offset', () => {
    const bytes = Buffer.concat([Buffer.of(9), bytesOf(Int32Array.of(-1, 7))]).subarray(1);
    expect(arrayFrom(Int32Array, bytes, 'indices')).toEqual(Int32Array.of(-1, 7));
  });

  test.each([
    [7, undefined, 'indices has 7 bytes, expected a multiple of 4'],
    [8, 3, 'indices has 8 bytes, expected 12'],
  ])('of %i bytes for %s elements is refused', (length, elements, message) => {
    expect(() => arrayFrom(Int32Array, new Uint8Array(length), 'indices', elements)).toThrow(message);
  });
});
