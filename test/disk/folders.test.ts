import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeFolder, makeFolderSync } from '../../src/disk/folders.js';

const root = mkdtempSync(join(tmpdir(), 'fcaenet-folders-'));
afterAll(() => rmSync(root, { recursive: true }));

describe.each([
  ['at once', async (path: string) => makeFolderSync(path)],
  ['with promises', (path: string) => makeFolder(path, promises)],
])('%s', (name, make) => {
  test('a folder is made with its parents, and is left as it is when it is there', async () => {
    const path = join(root, name, 'a', 'b', 'c');
    await make(path);
    writeFileSync(join(path, 'file'), 'x');
    await make(path);
    expect(statSync(join(path, 'file')).size).toBe(1);
  });

  test('a file in the way is an error', async () => {
    const file = join(root, `${name}.txt`);
    writeFileSync(file, 'x');
    await expect(make(file)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(make(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test('a folder that the system does not make in one that is there is an error', async () => {
    await expect(make('/proc/fcaenet/a/b')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('only a new folder is said to be new', () => {
  expect([makeFolderSync(join(root, 'new', 'a')), makeFolderSync(join(root, 'new', 'a'))]).toEqual([
    true,
    false,
  ]);
});

test('a working directory that was removed is an error', () => {
  const program = `
    import { mkdirSync, rmdirSync } from 'node:fs';
    import { makeFolderSync } from ${JSON.stringify(join(process.cwd(), 'dist/disk/folders.js'))};
    mkdirSync('gone');
    process.chdir('gone');
    rmdirSync('../gone');
    try {
      makeFolderSync('runs/a');
    } catch ({ code }) {
      console.log(code);
    }`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(printed).toBe('ENOENT\n');
});
