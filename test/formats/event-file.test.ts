import { crc32c } from '@node-rs/crc32';
import { expect, test } from 'vitest';
import { encodeEvent, type FileEvent, readEvents } from '../../src/formats/event-file.js';

test('the checksum has the values of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
});

test('the first event has the bytes that TensorFlow writes', () => {
  const event = encodeEvent({ seconds: 1.5, step: 0, content: { kind: 'version' } });
  const message = Buffer.concat([
    Buffer.from('09', 'hex'),
    Buffer.from(Float64Array.of(1.5).buffer),
    // TensorFlow leaves the step 0 out; readers take both.
    Buffer.from('1000', 'hex'),
    Buffer.from('1a0d', 'hex'),
    Buffer.from('brain.Event:2'),
  ]);
  expect(event.subarray(12, -4).toString('hex')).toBe(message.toString('hex'));
  expect(Number(event.readBigUInt64LE())).toBe(message.length);
});

const events: FileEvent[] = [
  { seconds: 10.25, step: 0, content: { kind: 'version' } },
  { seconds: 11, step: 7, content: { kind: 'start' } },
  { seconds: 12, step: 8, content: { kind: 'scalars', values: { 'loss/total': 0.5, mAP: 0.25 } } },
];

test('a picture is read with its size and its description', () => {
  const content = { kind: 'image', tag: 'a', description: 'b', width: 3, height: 2 } as const;
  const event = { seconds: 1, step: 2, content: { ...content, encoded: Buffer.from('jpeg') } };
  const [read] = readEvents(encodeEvent(event));
  expect(read!.event).toMatchObject({ seconds: 1, step: 2, content });
  expect(Buffer.from((read!.event.content as typeof event.content).encoded).toString()).toBe('jpeg');
});

test('events are read as they were written', () => {
  const bytes = Buffer.concat(events.map(encodeEvent));
  const read = readEvents(bytes);
  expect(read.map(({ event }) => event)).toEqual(events);
  expect(read.at(-1)!.end).toBe(bytes.length);
});

test('reading ends before a record that is damaged or cut off', () => {
  const bytes = Buffer.concat(events.map(encodeEvent));
  const [, second, third] = readEvents(bytes);
  expect(readEvents(bytes.subarray(0, -1)).length).toBe(2);
  for (const at of [second!.end + 3, second!.end + 20, third!.end - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    expect(readEvents(damaged).length).toBe(2);
  }
});
