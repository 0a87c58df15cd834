import { expect, test } from 'vitest';
import { Outbox } from '../../src/transport/outbox.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';

test.each([{ arrays: 2 }, { bytes: 24 }])(
  'memory that was given back is used again for the same length, and no more of it is kept than %o',
  (kept) => {
    const memory = new TransferMemory(kept);
    const [first, second, third] = [memory.take(8), memory.take(8), memory.take(16)];
    for (const { buffer } of [first, second, third]) memory.give(buffer);
    expect(memory.take(16).buffer).toBe(third.buffer);
    expect(memory.take(8).buffer).toBe(second.buffer);
    const fresh = memory.take(8);
    expect([first.buffer, second.buffer, third.buffer]).not.toContain(fresh.buffer);
  },
);

test('a bound in bytes keeps any number of arrays, also after some were used again', () => {
  const memory = new TransferMemory({ bytes: 24 });
  for (let step = 0; step < 2; step++) {
    const ranges = Array.from({ length: 3 }, () => memory.take(8).buffer);
    for (const range of ranges) memory.give(range);
    const again = Array.from({ length: 3 }, () => memory.take(8).buffer);
    expect(again.filter((buffer) => !ranges.includes(buffer))).toEqual([]);
    for (const range of again) memory.give(range);
  }
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
