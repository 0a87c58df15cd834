import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listDataset } from '../../src/data/dataset.js';
import { temporaryDirectory } from '../run/support.js';

test('the program in docs/datasets.md writes lists for folders of images', async () => {
  const [, program] = /```js\n([\s\S]*?)^```$/m.exec(readFileSync('docs/datasets.md', 'utf8'))!;
  const folder = temporaryDirectory();
  const make = join(folder, 'make-lists.mjs');
  writeFileSync(make, program!);
  for (const name of ['tern', 'arctic wren']) {
    mkdirSync(join(folder, 'images', name), { recursive: true });
    for (let i = 1; i <= 6; i++) writeFileSync(join(folder, 'images', name, `${i} of 6.jpg`), 'pixels');
  }
  for (const hidden of ['.DS_Store', 'tern/.DS_Store']) writeFileSync(join(folder, 'images', hidden), '');
  const { stderr } = spawnSync(process.execPath, [make, folder], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { classNames, train, test } = await listDataset(folder);
  expect(classNames).toEqual(['arctic wren', 'tern']);
  expect(test.paths).toEqual(['arctic wren/5 of 6.jpg', 'tern/5 of 6.jpg']);
  expect([...test.labels]).toEqual([0, 1]);
  expect([...train.labels]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
});
