import { mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Longer paths do not fit into a socket's address on every system. */
const longestPathBytes = 100;

/** A socket that is being made: at first under a name of its own, so that closing it cannot remove a successor's. */
export interface SocketPlace {
  /** Where to listen. */
  readonly made: string;
  /** Has clients find it, in place of an older one. */
  publish(): void;
  /** Removes what listening does not remove itself. */
  clear(): void;
}

/**
 * Where a socket that clients look for at `path` is made: beside it, or where that path is too long in a new folder for
 * temporary files that is this user's alone, with a link at `path`.
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

/** A file's path from the root, without links on the way: both sides come to the same, whatever they were told. */
function realPath(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= longestPathBytes;
}
