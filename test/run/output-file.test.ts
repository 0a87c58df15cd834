import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputRefusal, writeOutput } from '../../src/run/output-file.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-output-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a folder, and a file in a folder that does not exist, are refused before the work', async () => {
  expect(await outputRefusal(join(folder, 'page.html'))).toBe(null);
  expect(await outputRefusal(folder)).toBe(`${folder} is a folder, but must be the name of a file`);
  const lost = join(folder, 'nowhere', 'page.html');
  expect(await outputRefusal(lost)).toBe(
    `${lost} cannot be written: ${join(folder, 'nowhere')} is not a folder that exists`,
  );
});

test('a file that cannot be written is named without the temporary one', () => {
  const lost = join(folder, 'nowhere', 'page.html');
  expect(() => writeOutput(lost, 'text', (sentence) => new Error(sentence))).toThrow(
    new Error(`${lost} cannot be written (ENOENT)`),
  );
});

test('a file of which the disk takes only a part does not get its name', async () => {
  const file = join(folder, 'cut.html');
  const module = join(import.meta.dirname, '../../dist/run/atomic-file.js');
  const program = `import { writeFileAtomic } from ${JSON.stringify(module)};
    try { writeFileAtomic(${JSON.stringify(file)}, 'x'.repeat(100_000)); } catch (error) { console.log(error.code); }`;
  // With a limit on file sizes, a write in the middle of a file takes a part, and the next one fails: as on a full disk.
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'ulimit -f 8; exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '--eval',
    program,
  ]);
  expect(stdout).toBe('EFBIG\n');
  expect(await readdir(folder)).toEqual([]);
});

test('a file is replaced as a whole', async () => {
  const file = join(folder, 'page.html');
  writeOutput(file, 'old', (sentence) => new Error(sentence));
  writeOutput(file, 'ä', (sentence) => new Error(sentence));
  expect(await readFile(file, 'utf8')).toBe('ä');
});
