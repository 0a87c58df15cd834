import { expect, test } from 'vitest';
import { copyBytes } from '../../src/transport/bytes.js';
import { emptyChecksum, writeChecksum } from '../../src/transport/checksum.js';
import { framePrefix } from '../../src/transport/frames.js';
import type { PeerMessage } from '../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import { decodeFrame, encodeFrame, encodePeerMessage } from '../../src/transport/peering.js';

const data = Buffer.from(new SharedArrayBuffer(300)).fill('gradient');
const chunks = [
  { transfer: 1, offset: 0, data },
  { transfer: 2 ** 32 - 1, offset: 2 ** 40, data },
  { transfer: 3, offset: 5, data: Buffer.alloc(0) },
];
const messages: PeerMessage[] = [
  { hello: { protocolVersion: 6, run: 'birds', term: 1, member: 2, key: Buffer.alloc(16, 3) } },
  { weightsRange: { version: 4, range: { start: 1, end: 9 }, transfer: { id: 1, byteLength: 32 } } },
  ...chunks.map((chunk) => ({ chunk })),
];
const cases = messages.flatMap((message) => [true, false].map((isProtected) => ({ message, isProtected })));

test.each(cases)('a message is decoded as gRPC would decode it: %j', ({ message, isProtected }) => {
  const [prefix, ...pieces] = encodeFrame(message, isProtected);
  const bytes = Buffer.concat(pieces);
  expect(prefix).toEqual(framePrefix(bytes.byteLength));
  const alone = encodePeerMessage(isProtected ? message : { ...message, ...emptyChecksum });
  const expected = decodeFrame(isProtected ? alone : writeChecksum(alone), isProtected);
  expect(decodeFrame(bytes, isProtected)).toEqual(expected);
});

test('the data of a chunk are sent from where they are', () => {
  const pieces = encodeFrame({ chunk: { transfer: 1, offset: 0, data } }, true);
  expect(pieces.at(-1)).toBe(data);
});

test.each([
  ['in plain text', false, /^a message of 3 bytes has no checksum$/],
  ['under TLS', true, /^a message cannot be decoded/],
])('bytes that are no message are refused %s', (_, isProtected, sentence) => {
  expect(() => decodeFrame(Buffer.from([0x22, 0x50, 0x01]), isProtected)).toThrow(sentence);
});

test.each([
  ['shared', new SharedArrayBuffer(64)],
  ['other', new ArrayBuffer(64)],
])('bytes are copied to any place in %s memory, and nothing beside it changes', (_, memory) => {
  const from = Uint8Array.from({ length: 40 }, (_each, place) => place + 1);
  for (const [start, length, offset] of [
    [0, 40, 0],
    [3, 20, 5],
    [1, 1, 50],
    [0, 0, 51],
  ] as const) {
    const into = new Uint8Array(memory, 8, 51).fill(0);
    copyBytes(from.subarray(start, start + length), into, offset);
    const expected = new Uint8Array(51);
    expected.set(from.subarray(start, start + length), offset);
    expect(into).toEqual(expected);
  }
});
