import fs from 'node:fs';
import type promises from 'node:fs/promises';
import type { Chance } from './chance.js';
import type { SimulatedProcess } from './simulated-clock.js';

type FileSystem = typeof promises;

/** What goes wrong on a disk. */
export interface DiskTrouble {
  /** Operations after which the disk is full for the one that comes next; null never. */
  fullAfter: number | null;
}

/**
 * The file operations of `node:fs/promises`, carried out on real files at the moment that the simulation chooses. Those
 * of a process that has ended in between are never carried out.
 */
export function simulatedFileSystem(
  process: SimulatedProcess,
  chance: Chance,
  trouble: DiskTrouble,
  trace: (line: string) => void,
): FileSystem {
  const later = <Value>(name: string, path: string, writes: boolean, action: () => Value): Promise<Value> =>
    new Promise((resolve, reject) => {
      process.after(chance.between(0.05, 20), () => {
        if (writes && trouble.fullAfter !== null && trouble.fullAfter-- <= 0) {
          trouble.fullAfter = null;
          trace(`disk full at ${name} ${short(path)}`);
          reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
          return;
        }
        try {
          resolve(action());
        } catch (error) {
          reject(error);
        }
      });
    });
  // The system closes the files of a process that has ended.
  const files = new Set<number>();
  process.whenEnded(() => files.forEach((file) => void fs.closeSync(file)));
  const closeFile = (file: number) => {
    files.delete(file);
    fs.closeSync(file);
  };
  const openFile = (path: string, file: number) => ({
    read: (buffer: Uint8Array, offset: number, length: number, position: number) =>
      later('read', path, false, () => ({
        bytesRead: fs.readSync(file, buffer, offset, length, position),
        buffer,
      })),
    write: (buffer: Uint8Array, offset: number, length: number, position: number) =>
      later('write', path, true, () => ({
        bytesWritten: fs.writeSync(file, buffer, offset, length, position),
        buffer,
      })),
    writeFile: (content: string | Uint8Array) =>
      later('write', path, true, () => fs.writeFileSync(file, content)),
    sync: () => later('fsync', path, true, () => {}),
    datasync: () => later('fsync', path, true, () => {}),
    stat: () => later('stat', path, false, () => fs.fstatSync(file)),
    truncate: (bytes: number) => later('truncate', path, true, () => fs.ftruncateSync(file, bytes)),
    close: () => later('close', path, false, () => closeFile(file)),
  });
  const operations = {
    open: (path: string, flags: string) =>
      later('open', path, flags !== 'r', () => {
        const file = fs.openSync(path, flags);
        files.add(file);
        return openFile(path, file);
      }),
    readFile: (path: string, options?: 'utf8') =>
      later('read', path, false, () => fs.readFileSync(path, options)),
    writeFile: (path: string, content: string | Uint8Array) =>
      later('write', path, true, () => fs.writeFileSync(path, content)),
    stat: (path: string) => later('stat', path, false, () => fs.statSync(path)),
    statfs: (path: string) => later('statfs', path, false, () => fs.statfsSync(path)),
    readdir: (path: string, options?: { withFileTypes: true }) =>
      later('list', path, false, () => sorted(fs.readdirSync(path, options as undefined))),
    mkdir: (path: string, options: { recursive: boolean }) =>
      later('make folder', path, true, () => fs.mkdirSync(path, options)),
    rm: (path: string, options: fs.RmOptions) => later('remove', path, false, () => fs.rmSync(path, options)),
    rename: (from: string, to: string) => later('rename', from, true, () => fs.renameSync(from, to)),
    link: (from: string, to: string) => later('link', to, true, () => fs.linkSync(from, to)),
    utimes: (path: string, used: Date, changed: Date) =>
      later('touch', path, true, () => fs.utimesSync(path, used, changed)),
  };
  return operations as unknown as FileSystem;
}

/** A folder lists its files in an order that depends on the machine. */
function sorted(entries: (string | { name: string })[]): (string | { name: string })[] {
  const nameOf = (entry: string | { name: string }) => (typeof entry === 'string' ? entry : entry.name);
  return entries.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function short(path: string): string {
  return path.split('/').slice(-2).join('/');
}
