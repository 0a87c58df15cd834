import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readNamedPicture } from '../../src/data/picture-file.js';
import { failure } from '../kit/failure.js';
import { temporaryDirectory } from '../run/support.js';

test('the bytes of a picture are those of its file', async () => {
  const file = join(temporaryDirectory(), 'a.jpg');
  writeFileSync(file, 'bytes');
  expect((await readNamedPicture(file)).toString()).toBe('bytes');
});

test('a named pipe, which nobody may ever write to, is refused', async () => {
  const pipe = join(temporaryDirectory(), 'a.jpg');
  execFileSync('mkfifo', [pipe]);
  await expect(readNamedPicture(pipe)).rejects.toEqual(
    failure('DATASET_IMAGE_MISSING', `the image ${pipe} is not a file but a named pipe`),
  );
});

test.each([
  ['/dev/zero', 'is not a file but a device'],
  ['/', 'is a folder, expected a file'],
  ['/no/such.jpg', 'cannot be read (ENOENT)'],
])('%s is refused', async (file, reason) => {
  await expect(readNamedPicture(file)).rejects.toEqual(
    failure('DATASET_IMAGE_MISSING', `the image ${file} ${reason}`),
  );
});
