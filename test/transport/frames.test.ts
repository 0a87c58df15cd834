import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, framePrefix, takeFrames } from '../../src/transport/frames.js';

const framed = (messages: readonly Uint8Array[]) =>
  Buffer.concat(messages.flatMap((message) => [framePrefix(message.byteLength), message]));

test('messages are the same however their stream is cut', () => {
  const lists = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  fc.assert(
    fc.property(lists, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (messages, lengths) => {
      const reader = new FrameReader(40);
      const bytes = framed(messages);
      const found: Buffer[] = [];
      for (let start = 0; start < bytes.byteLength; ) {
        const end = start + lengths.next().value!;
        for (const message of reader.messagesIn(bytes.subarray(start, end))) found.push(Buffer.from(message));
        start = end;
      }
      expect(found).toEqual(messages.map((message) => Buffer.from(message)));
    }),
  );
});

test('a message that is longer than it may be is refused at its prefix', () => {
  const reader = new FrameReader(40);
  expect([...reader.messagesIn(framed([Buffer.alloc(40)]))]).toHaveLength(1);
  expect(() => [...reader.messagesIn(framePrefix(41))]).toThrow(
    'a peer announces a message of 41 bytes, expected 40 at most',
  );
});

test('a compressed message is refused', () => {
  const prefix = framePrefix(3);
  prefix[0] = 1;
  expect(() => [...new FrameReader(40).messagesIn(prefix)]).toThrow(
    'a peer sent a compressed message, expected one without compression',
  );
});

test('messages are taken one after the other, and nothing is read meanwhile', async () => {
  const stream = new PassThrough();
  const taken: string[] = [];
  const goOn: (() => void)[] = [];
  const done = takeFrames(stream, new FrameReader(40), (message) => {
    taken.push(message.toString());
    return new Promise((resolve) => goOn.push(resolve));
  });
  stream.write(framed(['one', 'two'].map((text) => Buffer.from(text))));
  await expect.poll(() => taken).toEqual(['one']);
  const third = framed([Buffer.from('three')]);
  stream.write(third);
  await new Promise((resolve) => setImmediate(resolve));
  expect([taken, stream.readableLength]).toEqual([['one'], third.byteLength]);
  goOn.shift()!();
  await expect.poll(() => taken).toEqual(['one', 'two']);
  expect(stream.readableFlowing).toBe(false);
  goOn.shift()!();
  await expect.poll(() => taken).toEqual(['one', 'two', 'three']);
  goOn.shift()!();
  stream.end();
  await done;
});

test('what a taker throws ends the reading', async () => {
  const stream = new PassThrough();
  const done = takeFrames(stream, new FrameReader(40), () => Promise.reject(new Error('wrong')));
  stream.write(framed([Buffer.from('one'), Buffer.from('two')]));
  await expect(done).rejects.toThrow('wrong');
  expect(stream.readableFlowing).toBe(false);
});

test('a stream that breaks while a message is taken ends, and the others of its piece are not taken', async () => {
  const stream = new PassThrough();
  let goOn = () => {};
  let taken = 0;
  const done = takeFrames(stream, new FrameReader(40), () => {
    taken++;
    return new Promise((resolve) => {
      goOn = resolve;
    });
  });
  stream.write(framed([Buffer.from('one'), Buffer.from('two')]));
  await expect.poll(() => taken).toBe(1);
  stream.destroy();
  await once(stream, 'close');
  await done;
  goOn();
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(1);
});
