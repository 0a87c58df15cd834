import { expect, test } from 'vitest';
import { CheckpointError, reasonOf } from '../../src/checkpoint/error.js';

test('a checkpoint error has its name, and the exit code of wrong data unless another is given', () => {
  const cause = new Error('cause');
  expect(new CheckpointError('CHECKPOINT_READ', 'unread', { cause })).toMatchObject({
    name: 'CheckpointError',
    code: 'CHECKPOINT_READ',
    exitCode: 65,
    cause,
  });
  expect(new CheckpointError('CHECKPOINT_READ', 'unread', { exitCode: 74 })).toMatchObject({ exitCode: 74 });
});

test('the reason of whatever was thrown is its message or its text', () => {
  expect(reasonOf(new TypeError('no function'))).toBe('no function');
  expect(reasonOf('a text')).toBe('a text');
});
