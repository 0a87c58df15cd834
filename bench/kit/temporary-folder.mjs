// A folder for a benchmark's files, which is removed when the process ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `fcaenet-${name}-`));
  // Processes that were just killed may still write.
  process.once('exit', () =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  );
  return folder;
}
