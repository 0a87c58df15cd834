import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ExitCode } from '../../src/errors.js';
import { missingFiles, writeFiles } from '../../src/export/write.js';
import { failure } from '../kit/failure.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-write-'));
afterAll(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;
const file = (name: string, text: string) => ({ name, pieces: [Buffer.from(text)] });

test('files are written with their folders, and replace what was there', async () => {
  await writeFiles(folder, [file('a', 'old'), file('inside/b', 'b')], never);
  await writeFiles(folder, [file('a', 'new')], never);
  expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
  expect(readFileSync(join(folder, 'inside/b'), 'utf8')).toBe('b');
  const same = file('inside/b', 'b');
  expect(await missingFiles(folder, [file('c', ''), same])).toEqual([file('c', '')]);
  await expect(missingFiles(folder, [same, file('a', 'old')])).rejects.toEqual(
    failure('EXPORT_EXISTS', /\/a exists already with other content; add --overwrite to replace it/),
  );
  const card = { ...file('a', 'another'), agreesWith: (found: Buffer) => found.toString() === 'new' };
  expect(await missingFiles(folder, [card])).toEqual([]);
});

test('a signal leaves no part of a file', async () => {
  const leave = new AbortController();
  const place = join(folder, 'left');
  const reason = new Error('left');
  const pieces = [Buffer.from('one'), Buffer.from('two')];
  const written = writeFiles(place, [{ name: 'part', pieces }], leave.signal, () => leave.abort(reason));
  await expect(written).rejects.toBe(reason);
  expect(existsSync(place)).toBe(false);
  const kept = [file('whole', 'w'), { name: 'deep/er/part', pieces }];
  await expect(writeFiles(place, kept, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(existsSync(place)).toBe(false);
  await writeFiles(place, kept.slice(0, 1), never);
  await expect(writeFiles(place, kept.slice(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(readdirSync(place)).toEqual(['whole']);
});

test('a folder that cannot be made is named', async () => {
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'is-folder'));
  await expect(writeFiles(join(folder, 'file'), [file('x', '')], never)).rejects.toMatchObject({
    code: 'EXPORT_WRITE',
    message: expect.stringMatching(/file\/x cannot be written \(ENOTDIR\)$/),
    exitCode: ExitCode.cannotCreate,
  });
  await expect(writeFiles(folder, [file('is-folder', '')], never)).rejects.toEqual(
    failure('EXPORT_WRITE', /is-folder cannot be written \(EISDIR\)$/),
  );
});
