import { expect, test } from 'vitest';
import { Outbox } from '../../src/transport/outbox.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';

test('memory that was given back is used again for the same length, and no more of it is kept than asked for', () => {
  const memory = new TransferMemory({ arrays: 2 });
  const [first, second, third] = [memory.take(8), memory.take(8), memory.take(16)];
  for (const { buffer } of [first, second, third]) memory.give(buffer);
  expect(memory.take(16).buffer).toBe(third.buffer);
  expect(memory.take(8).buffer).toBe(second.buffer);
  const fresh = memory.take(8);
  expect([first.buffer, second.buffer, third.buffer]).not.toContain(fresh.buffer);
});

test('memory that is bounded in bytes is kept up to them, the newest of it', () => {
  const memory = new TransferMemory({ bytes: 24 });
  const [first, second, third] = [memory.take(8), memory.take(8), memory.take(16)];
  for (const { buffer } of [first, second, third]) memory.give(buffer);
  expect(memory.take(16).buffer).toBe(third.buffer);
  expect(memory.take(8).buffer).toBe(second.buffer);
  expect(memory.take(8).buffer).not.toBe(first.buffer);
  const ranges = Array.from({ length: 3 }, () => memory.take(8).buffer);
  for (const range of ranges) memory.give(range);
  expect(ranges).toContain(memory.take(8).buffer);
  expect(ranges).toContain(memory.take(8).buffer);
  expect(ranges).toContain(memory.take(8).buffer);
});

test('an outbox is flushed when the stream has encoded the last message, or when it is closed', async () => {
  const encoded: (() => void)[] = [];
  const stream = {
    write: (_message: string, taken: () => void) => encoded.push(taken) > 0,
    once: () => {},
    off: () => {},
  };
  const outbox = new Outbox<string>(stream);
  await outbox.sendAll(['a', 'b']);
  let isFlushed = false;
  const flushed = outbox.flushed().then(() => {
    isFlushed = true;
  });
  encoded.shift()!();
  await new Promise(setImmediate);
  expect(isFlushed).toBe(false);
  encoded.shift()!();
  await flushed;
  await outbox.flushed();
  await outbox.send('c');
  const closed = outbox.flushed();
  outbox.close();
  await closed;
});
