import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('stalling-disk.c', import.meta.url));

/** Empty where a library can be preloaded; else why not, for a title. */
export const stallingDiskMissing = (() => {
  if (process.platform !== 'linux') return ' (skipped: only Linux preloads libraries)';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return '';
  } catch {
    return ' (skipped: there is no C compiler)';
  }
})();

/** A library that makes the file operations of a process fail as they do in the field; see stalling-disk.c. */
export class StallingDisk {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fcaenet-stalling-disk-'));
  private readonly library = join(this.folder, 'stalling-disk.so');
  /** While it is there, fsync does not return. */
  readonly holds = join(this.folder, 'hold-fsync');

  constructor() {
    execFileSync('cc', ['-shared', '-fPIC', '-o', this.library, source, '-ldl']);
  }

  /** What a process that it is to be preloaded into needs in its environment. */
  get environment(): NodeJS.ProcessEnv {
    return { LD_PRELOAD: this.library, STALLING_DISK_HOLDS: this.holds };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
