import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import { BufferPool } from '../../src/engine/onednn/buffer-pool.js';
import { smallNetwork } from './small-network.js';

test('memory stays flat over 200 steps', async () => {
  const engine = await loadEngine('onednn', { threads: 1 });
  const network = smallNetwork();
  const step = (key: number) => {
    const { loss, gradients } = network.step(key, 3 + (key % 2));
    gradients[0]!.dataSync();
    tf.dispose([loss, gradients]);
  };
  for (let key = 0; key < 20; key++) {
    step(key);
  }
  const settled = engine.memory();
  const arrays = process.memoryUsage().arrayBuffers;
  for (let key = 0; key < 200; key++) {
    step(key);
  }
  expect(engine.memory()).toEqual(settled);
  expect(process.memoryUsage().arrayBuffers - arrays).toBeLessThan(16 * 1024 ** 2);
});

test('values that were read stay as they are after their tensor is disposed', async () => {
  await loadEngine('onednn', { threads: 1 });
  const x = tf.tensor1d([1, -2, 3]);
  const read = tf.tidy(() => tf.relu(x).dataSync());
  for (let i = 0; i < 5; i++) {
    tf.tidy(() => tf.add(x, x));
  }
  expect([...read]).toEqual([1, 0, 3]);
});

test('a view made by an inherited kernel outlives its source', async () => {
  await loadEngine('onednn', { threads: 1 });
  const parts = tf.tidy(() =>
    tf.unstack(
      tf.relu(
        tf.tensor2d([
          [1, 2],
          [3, 4],
        ]),
      ),
    ),
  );
  for (let i = 0; i < 5; i++) {
    tf.tidy(() =>
      tf.relu(
        tf.tensor2d([
          [9, 9],
          [9, 9],
        ]),
      ),
    );
  }
  expect(parts.map((part) => [...part.dataSync()])).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test('the pool gives back the same array and stays within its bound', () => {
  const pool = new BufferPool((length) => new Float32Array(length), 4 * 100);
  const array = pool.take(10);
  pool.give(array);
  expect(pool.take(10)).toBe(array);
  pool.give(array);
  for (const length of [20, 30, 40]) {
    pool.give(pool.take(length));
  }
  expect(pool.waitingBytes).toBe(4 * 100);
  pool.give(new Float32Array(50));
  expect(pool.waitingBytes).toBeLessThanOrEqual(4 * 100);
  expect(pool.take(10)).not.toBe(array);
  pool.give(new Float32Array(200));
  expect(pool.waitingBytes).toBe(0);
});
