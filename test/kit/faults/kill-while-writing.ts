import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';

/**
 * Calls `kill` at the nth change, counted from 1, in a folder of checkpoints and in the one that is being written there:
 * in the middle of some operation on the file system, whichever that is.
 */
export function killWhileWriting(folder: string, change: number, kill: () => void): void {
  const watchers: FSWatcher[] = [];
  let changes = 0;
  const follow = (path: string, onName: (name: string) => void) => {
    const watcher = watch(path, (_, name) => {
      if (changes >= change) return;
      changes++;
      if (changes === change) {
        for (const each of watchers) each.close();
        kill();
      } else if (name) onName(name);
    });
    watcher.on('error', () => {});
    watcher.unref();
    watchers.push(watcher);
  };
  follow(folder, (name) => {
    if (!name.startsWith('.tmp-term')) return;
    try {
      follow(join(folder, name), () => {});
    } catch {
      // It has been renamed already.
    }
  });
}
