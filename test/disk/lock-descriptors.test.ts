import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { acquireLock } from '../../src/run/lock.js';
import { temporaryDirectory } from '../run/support.js';

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return { ...fs, writeSync: vi.fn(fs.writeSync) };
});

/** Files of a folder that this process has open, also those without a name by now. */
function openFilesIn(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${number}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      // That of the listing itself.
      return [];
    }
  });
}

test('a lock that cannot be written leaves no file, open or not', () => {
  const folder = temporaryDirectory();
  const path = join(folder, 'lock');
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  vi.mocked(writeSync).mockImplementationOnce(() => {
    throw full;
  });
  expect(() => acquireLock(path, folder, 10)).toThrow(full);
  expect([openFilesIn(folder), readdirSync(folder)]).toEqual([[], []]);
  const lock = acquireLock(path, folder, 10);
  expect(openFilesIn(folder)).toHaveLength(1);
  expect(() => acquireLock(path, folder, 10)).toThrow(expect.objectContaining({ code: 'RUN_LOCKED' }));
  expect(openFilesIn(folder)).toHaveLength(1);
  lock.release();
  expect(openFilesIn(folder)).toEqual([]);
});
