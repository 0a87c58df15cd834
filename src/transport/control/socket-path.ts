import { mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Longer paths do not fit into a socket address on every system. */
const longestPathBytes = 100;

/** A new socket. It first has a name of its own, so that closing it cannot remove a successor's socket. */
export interface SocketPlace {
  /** Path to listen on. */
  readonly made: string;
  /** Makes clients find it, in place of an older socket. */
  publish(): void;
  /** Removes the files that closing the server does not remove. */
  clear(): void;
}

/**
 * Chooses where to create a socket that clients look for at `path`: beside it, or, when that path is too long, in a new
 * temporary folder of this user with a link at `path`.
 */
export function placeForSocket(path: string): SocketPlace {
  const beside = `${realPath(path)}.${process.pid}`;
  if (fits(beside)) {
    rmSync(beside, { force: true });
    return { made: beside, publish: () => renameSync(beside, path), clear: () => {} };
  }
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-'));
  const made = join(folder, basename(path));
  return {
    made,
    publish: () => {
      const link = `${path}.${process.pid}`;
      rmSync(link, { force: true });
      symlinkSync(made, link);
      renameSync(link, path);
    },
    clear: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A file's absolute path without symbolic links. Both sides get the same path, whatever path they were given. */
function realPath(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= longestPathBytes;
}
