import { expect, test } from 'vitest';
import { verifyChecksum } from '../../src/transport/checksum.js';
import { encodeCoordinatorMessage } from '../../src/transport/codec.js';
import { coordinatorService } from '../../src/transport/service.js';

const message = encodeCoordinatorMessage({
  term: 7,
  chunk: { transfer: 3, offset: 5, data: Buffer.alloc(300, 9) },
});

test('an encoded message ends with the checksum of what is before it', () => {
  expect(message.at(-5)).toBe(0x7d);
  expect(verifyChecksum(message)).toBe(message);
});

test('every flipped bit of a message is noticed', () => {
  for (let bit = 0; bit < 8 * message.byteLength; bit += 1) {
    const damaged = Buffer.from(message);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => verifyChecksum(damaged), `bit ${bit}`).toThrow(
      expect.objectContaining({ code: 'TRANSPORT_DAMAGED' }),
    );
  }
});

test('a damaged message says what was found and what was expected', () => {
  const damaged = Buffer.from(message);
  damaged[100]! ^= 1;
  expect(() => verifyChecksum(damaged)).toThrow(
    /^a message of \d+ bytes is damaged: its checksum is [0-9a-f]{8}, expected [0-9a-f]{8}$/,
  );
});

test.each([0, 4, 200])('the first %i bytes of a message have no checksum', (length) => {
  expect(() => verifyChecksum(message.subarray(0, length))).toThrow(
    `a message of ${length} bytes has no checksum`,
  );
});

test('both directions are sealed', () => {
  const { Join } = coordinatorService({ sentBytes: 0, receivedBytes: 0 });
  const hello = Join.requestSerialize({ hello: { workerName: 'w' } });
  expect(verifyChecksum(hello)).toBe(hello);
  expect(Join.requestDeserialize(hello).hello?.workerName).toBe('w');
  hello[3]! ^= 1;
  expect(Join.requestDeserialize(hello).hello).toBeUndefined();
});
