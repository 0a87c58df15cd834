import { disk } from '../../../disk/disk.js';

export interface DiskSpace {
  /** Bytes that this process may still use. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** How long a scrape waits for a file system that does not answer. */
const patienceMs = 1000;

/**
 * Measures the space on the file system of a folder. A network file system may not answer for hours. The result is null
 * after a second without an answer. While a question is open, no further question is asked.
 * @param ask asks the file system; for tests
 */
export function diskSpaceOf(
  folder: string,
  ask: (folder: string) => Promise<DiskSpace> = askFileSystem,
): () => Promise<DiskSpace | null> {
  let asked: Promise<DiskSpace | null> | null = null;
  return () => {
    asked ??= ask(folder)
      .catch(() => null)
      .finally(() => {
        asked = null;
      });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), patienceMs);
    });
    return Promise.race([asked, late]).finally(() => clearTimeout(timer));
  };
}

async function askFileSystem(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await disk.statfs(folder);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}
